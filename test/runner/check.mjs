// Phases that are one command: it passes or fails as a whole.
import { execFile } from 'node:child_process';
import { write } from './screen.mjs';

/**
 * The command, found in node_modules/.bin first, as a phase's `run`.
 *
 * @param options.heard also when it passes, not only when it fails
 */
export function check([command, ...args], { heard = false } = {}) {
  return async (tally) => {
    const { status, signal, error, stdout, stderr } = await runCommand(command, args);
    const said = `${stdout ?? ''}${stderr ?? ''}`.trimEnd();
    if (said !== '' && (heard || status !== 0)) write(said);
    if (status === 0) {
      tally.passed++;
      return;
    }
    tally.failed++;
    write(`   FAILED: ${command} ${args.join(' ')}: ${error?.message ?? signal ?? `exit code ${status}`}`);
  };
}

/** @returns {Promise<{ status?: number, signal?: string, error?: Error, stdout: string, stderr: string }>} one of the first three: how it ended, or why it did not run */
export function runCommand(command, args) {
  const options = { env: withLocalBin(process.env), encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    const child = execFile(command, args, options, (failure, stdout, stderr) =>
      resolve({ ...howItEnded(failure), stdout, stderr }),
    );
    child.stdin?.end();
  });
}

function howItEnded(failure) {
  if (failure === null) return { status: 0 };
  if (failure.signal) return { signal: failure.signal };
  return typeof failure.code === 'number' ? { status: failure.code } : { error: failure };
}

/** npm does this for its scripts; here for those who run the runner by hand. */
export function withLocalBin(env) {
  return { ...env, PATH: `${process.cwd()}/node_modules/.bin:${env.PATH ?? ''}` };
}
