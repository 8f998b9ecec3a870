import { execFileSync } from 'node:child_process';

/**
 * Runs a program of the build and returns what it printed; its standard error goes to ours.
 * @throws Error with the command, where it cannot be run or does not end with 0
 */
export function run(
  argv: readonly [string, ...string[]],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  const [file, ...args] = argv;
  try {
    return execFileSync(file, args, {
      cwd: options.cwd,
      env: { ...process.env, LC_ALL: 'C', ...options.env },
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  } catch (error) {
    throw new Error(`${argv.join(' ')} failed`, { cause: error });
  }
}
