// What the stock agents of a group do, on a rehearsal host: ocft-others.js ROOT COMMAND..., each of them a line of words.
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import type { Argv } from '../../src/host/host.js';

const [, , root = '', ...commands] = process.argv;
const host = rehearsalHost(root);
for (const line of commands) {
  const [program = 'true', ...args] = line.split(' ');
  const argv: Argv = [program, ...args];
  const { exitCode, stderr } = await host.run(argv);
  if (exitCode !== 0) throw new Error(`${line}: ${stderr}`);
}
