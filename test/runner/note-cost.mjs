// Loaded before a test file (ava.config.mjs): when its process ends, what it cost goes into a file of the directory NLM_TEST_COSTS.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const directory = process.env.NLM_TEST_COSTS;
// Not for the programs that tests start.
delete process.env.NLM_TEST_COSTS;
process.once('exit', () => {
  const cost = { file: fileURLToPath(test.meta.file), seconds: process.uptime() };
  writeFileSync(join(directory, String(process.pid)), JSON.stringify(cost));
});
