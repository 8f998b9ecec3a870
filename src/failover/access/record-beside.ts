import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { FloatingIp } from '../../config/config.js';
import { recordVolume } from '../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { databaseName, recordDirectory } from '../../record/safe-files/layout.js';
import { movedName } from '../../record/safe-files/moved-mark.js';
import { recordLocation } from './location.js';

/** So many directories below the top of a state volume, which has little else than records. */
const deepest = 3;

/**
 * Before a record is made on a state volume: there is none of the address in another directory of it, as where state_directory was edited. A
 * new one would have none of its clients, nobody would be notified, and their locks be lost without a word. Nobody but root writes there.
 * Throws FailoverError RECORD_EXISTS.
 */
export function refuseRecordBeside(host: Host, ip: FloatingIp): void {
  const { address, stateDirectory, stateVolume } = ip;
  if (stateVolume === undefined || recordVolume(ip) !== stateVolume) return;
  const { directory } = recordLocation(host, ip);
  const name = path.basename(recordDirectory('/', address));
  const top = host.path(stateVolume.mountpoint);
  const found = directoriesIn(top, deepest)
    .map((one) => path.join(one, name))
    .find(
      (one) =>
        one !== directory &&
        existsSync(path.join(one, databaseName)) &&
        !existsSync(path.join(one, movedName)),
    );
  if (found === undefined) return;
  const former = path.join(stateVolume.mountpoint, path.relative(top, path.dirname(found)));
  throw new FailoverError(
    `${stateDirectory} has no record of ${address}, and ${former} on the same volume has one: a new one would have none of its clients, and their locks would be lost`,
    {
      code: 'RECORD_EXISTS',
      exitCode: exitCodes.stepFailed,
      operation: `making a record in ${stateDirectory}`,
      hint: `Give the configuration back its former state_directory; or, where it is to be in ${stateDirectory}: nlm-failover move-record ${address} --from ${former}, and takeover then.`,
    },
  );
}

/** It, and those below; through no link. */
function directoriesIn(place: string, depth: number): string[] {
  if (depth === 0) return [place];
  const below = readdirSync(place, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [place, ...below.flatMap(({ name }) => directoriesIn(path.join(place, name), depth - 1))];
}
