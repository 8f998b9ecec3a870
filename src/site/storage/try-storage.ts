import { statSync } from 'node:fs';
import type { Config, FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { recordLocation, recordReachable, unreachable } from '../../failover/access/location.js';
import { adviceFor } from '../../failover/access/trials.js';
import type { Host } from '../../host/host.js';
import { bootClock } from '../../host/reading/boot.js';
import { machineOf } from '../../host/reading/machine-id.js';
import { mountedAs } from '../../record/trial/mounted-as.js';
import { tryStorage, type Verdict } from '../../record/trial/trial.js';

export interface TryOptions {
  readonly waitSeconds: number;
  /** Called before each directory is tried, and when the other node is there. */
  readonly onBegin: (directory: string) => void;
  readonly onOther: (directory: string, node: string) => void;
}

/** The state directories on storage that every node sees, each once. */
export function sharedDirectories(host: Host, floatingIps: readonly FloatingIp[]): string[] {
  const shared = floatingIps.filter((ip) => recordLocation(host, ip).onVolume === undefined);
  return [...new Set(shared.map((ip) => ip.stateDirectory))];
}

/**
 * Tries, with another node on which the same runs, whether each of these directories keeps what two nodes write at once.
 * Throws STORAGE_UNFIT where one does not, with what would; STORAGE_UNTRIED; RECORD_UNREACHABLE.
 */
export async function tryShared(
  host: Host,
  config: Config,
  floatingIps: readonly FloatingIp[],
  { waitSeconds, onBegin, onOther }: TryOptions,
): Promise<readonly (Verdict & { readonly directory: string })[]> {
  const verdicts = [];
  for (const directory of sharedDirectories(host, floatingIps)) {
    const ip = floatingIps.find(({ stateDirectory }) => stateDirectory === directory);
    if (ip !== undefined && !recordReachable(host, ip)) throw unreachable(host, ip);
    onBegin(directory);
    const place = host.path(directory);
    const verdict = await tryStorage({
      directory: place,
      named: directory,
      side: {
        node: config.node,
        machine: machineOf(host),
        bootId: bootClock(host).bootId,
        device: statSync(place).dev,
      },
      mount: mountedAs(host, directory),
      waitSeconds,
      busyMs: config.timeouts.record * 1000,
      now: () => host.now(),
      delay: (ms) => host.delay(ms),
      onOther: (node) => onOther(directory, node),
    });
    if (!verdict.kept) throw unfit(directory, verdict);
    verdicts.push({ ...verdict, directory });
  }
  return verdicts;
}

function unfit(directory: string, { mount, other, why }: Verdict): FailoverError {
  const what = mount === null ? directory : `${directory} (${mount.type}, ${mount.source})`;
  return new FailoverError(
    `${what} does not keep what this node and ${other} write at once: ${why.join('; ')}`,
    {
      code: 'STORAGE_UNFIT',
      exitCode: exitCodes.stepFailed,
      operation: `trying ${directory}`,
      hint: adviceFor(mount),
    },
  );
}
