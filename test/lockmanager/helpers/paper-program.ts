// nlm-failover with two drivers more than it has.
import { processIo } from '../../../src/cli/io.js';
import { buildProgram } from '../../../src/cli/program.js';
import { reportError } from '../../../src/cli/report-error.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { paperModule, parchmentModule } from './paper.js';

const program = buildProgram(
  processIo,
  (code) => (process.exitCode = code),
  async () => [paperModule, ...drivers, parchmentModule],
);
try {
  await program.parseAsync(process.argv.slice(2), { from: 'user' });
} catch (error) {
  process.exitCode = reportError(processIo, error, false);
}
