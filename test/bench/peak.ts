// Loaded into a command that is measured: at its end it says in the file PEAK_FILE how much memory it had at most, in bytes.
import { appendFileSync } from 'node:fs';

process.on('exit', () => {
  const { PEAK_FILE } = process.env;
  if (PEAK_FILE !== undefined) appendFileSync(PEAK_FILE, `${process.resourceUsage().maxRSS * 1024}\n`);
});
