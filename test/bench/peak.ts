// Loaded into a command that is measured: at its end it says in the file PEAK_FILE how much memory it had at most, in bytes, and its CPU
// time, user and system, in ms.
import { appendFileSync } from 'node:fs';

process.on('exit', () => {
  const { PEAK_FILE } = process.env;
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
  if (PEAK_FILE !== undefined)
    appendFileSync(PEAK_FILE, `${maxRSS * 1024} ${(userCPUTime + systemCPUTime) / 1000}\n`);
});
