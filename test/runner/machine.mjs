// What the tests with real kernels and real daemons need from this machine.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const wirePrograms = ['ip', 'unshare', 'rpcbind', 'rpc.statd'];
const labRequirements = 'build/test/lab/requirements.js';

/** What is missing for test/lab, as one sentence; undefined if nothing is. The lab itself knows. */
export async function missingForLab() {
  if (!existsSync(labRequirements)) return `${labRequirements} is missing.`;
  const { labUnavailable } = await import(pathToFileURL(resolve(labRequirements)).href);
  return labUnavailable();
}

/** What is missing for test/wire, as one sentence; undefined if nothing is. */
export function missingForWire() {
  const missing = wirePrograms.filter((name) => !isInstalled(name));
  if (process.getuid?.() !== 0) missing.unshift('root');
  return missing.length === 0 ? undefined : `These tests need ${missing.join(', ')}.`;
}

function isInstalled(program) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
