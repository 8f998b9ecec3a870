import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';

/** This installation, as what it sets up is to run it: bin/ and dist/ lie beside callouts/. */
export function thisInstallation(callout: string) {
  return {
    node: process.execPath,
    script: realpathSync(process.argv[1] ?? '.'),
    callouts: path.dirname(callout),
  };
}

/** callouts/ha-callout of this installation. */
export function calloutPath(): string {
  const script = realpathSync(process.argv[1] ?? '.');
  return path.resolve(path.dirname(script), '../callouts/ha-callout');
}

/**
 * What keeps other users from running a program of this installation: a directory on the way that they cannot pass, or the program
 * itself. By the modes alone, which cost nothing to look at; `check`, `setup` and `takeover` run it as the user in question.
 *
 * @param program its absolute path, without symbolic links
 * @returns one sentence, with what to do; undefined: nothing does
 */
export function closedToOthers(program: string): string | undefined {
  const modeOf = (file: string): number => (statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o7777;
  const closed = waysTo(program).find((directory) => (modeOf(directory) & 0o001) === 0);
  const isOpen = closed === undefined && (modeOf(program) & 0o005) === 0o005;
  if (isOpen) return undefined;
  const at = closed ?? program;
  const mode = modeOf(at).toString(8).padStart(4, '0');
  return (
    `other users cannot pass ${at} (mode ${mode}): rpc.statd, which runs as one, cannot run ${program}, and no client is recorded\n` +
    '  Install it where they can: the Debian package, or "npm install -g" of what "npm pack" makes (a checkout is only linked).'
  );
}

/** Every directory on the way, from the root. */
function waysTo(file: string): string[] {
  const directory = path.dirname(file);
  return directory === file ? [] : [...waysTo(directory), directory];
}
