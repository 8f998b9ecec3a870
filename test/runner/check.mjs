// Phases that are one command: it passes or fails as a whole, and is heard only when it fails.
import { spawnSync } from 'node:child_process';
import { write } from './screen.mjs';

/** The command, found in node_modules/.bin first, as a phase's `run`. */
export function check([command, ...args]) {
  return (tally) => {
    const { status, signal, error, stdout, stderr } = runCommand(command, args);
    if (status === 0) {
      tally.passed++;
      return;
    }
    tally.failed++;
    write(`${stdout ?? ''}${stderr ?? ''}`.trimEnd());
    write(`   FAILED: ${command} ${args.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`}`);
  };
}

export function runCommand(command, args) {
  return spawnSync(command, args, {
    env: withLocalBin(process.env),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** npm does this for its scripts; here for those who run the runner by hand. */
export function withLocalBin(env) {
  return { ...env, PATH: `${process.cwd()}/node_modules/.bin:${env.PATH ?? ''}` };
}
