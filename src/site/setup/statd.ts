import { exitCodes, FailoverError } from '../../errors.js';
import { runOrFail } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { systemdRuns, unitOf } from '../../host/reading/boot.js';
import { monitored, type StatdProcess, statdProcess } from '../../host/reading/statd.js';
import { isInstalled } from '../../host/running/command.js';
import { waitUntil } from '../../host/running/wait.js';
import { tryCallout } from '../../lockmanager/callout-proof.js';
import type { Finding, SetupItem } from './item.js';
import { nfsConfName } from './nfs-conf.js';

const restartOf = (unit: string): Argv => ['systemctl', 'restart', unit];
const usualUnit = 'rpc-statd.service';

/**
 * Whoever monitors the clients can run the callout of this installation: it is tried as the user that rpc.statd runs as, the owner of its
 * directory. `look` throws FailoverError NOT_READY where that is not so; there is nothing to do.
 */
export function reachableCallout(host: Host, callout: string): SetupItem {
  const refuse = (message: string, hint: string | undefined): never => {
    const operation = 'looking whether rpc.statd can run its callout';
    throw new FailoverError(message, {
      code: 'NOT_READY',
      exitCode: exitCodes.configuration,
      operation,
      hint,
    });
  };
  return {
    name: 'callout',
    look: async () => {
      const user = monitored(host);
      if (user === undefined)
        return refuse(
          'nfs-utils is not installed: there is no /var/lib/nfs/sm',
          'Install nfs-utils (Debian: nfs-kernel-server).',
        );
      const { uid, gid } = user;
      const fault = await tryCallout(
        host,
        { callout, uid, gid, groups: [], run: undefined, enter: [] },
        undefined,
      );
      if (fault === undefined)
        return { state: 'unchanged', detail: `${callout}, which the user of rpc.statd (uid ${uid}) can run` };
      return fault.isNote === true
        ? { state: 'unchanged', detail: fault.message }
        : refuse(fault.message, fault.hint);
    },
    act: async () => ({ state: 'unchanged', detail: callout }),
  };
}

/** The rpc.statd that runs here. `wanted`: the callout that it is to run; undefined: no longer that of `callout`. */
export function statdRestart(host: Host, callout: string, wanted: string | undefined): SetupItem {
  const runs = () => statdProcess(host, '/proc/self/ns/net');
  const isRight = (statd: StatdProcess) =>
    !statd.isOutdated && (wanted === undefined ? statd.callout !== callout : statd.callout === wanted);
  return {
    name: 'rpc.statd',
    look: async (before): Promise<Finding> => {
      const statd = runs();
      if (statd === undefined)
        return { state: 'unchanged', detail: 'does not run; it reads nfs.conf when it starts' };
      if (!before.has(nfsConfName) && isRight(statd))
        return { state: 'unchanged', detail: `pid ${statd.pid} runs ${statd.callout ?? 'no callout'}` };
      const why = reasonOf(statd, before.has(nfsConfName));
      const unit = unitNow(host, statd);
      if (unit !== undefined)
        return { state: 'to do', detail: `restart, as ${why}`, commands: [restartOf(unit).join(' ')] };
      return {
        state: 'by hand',
        detail: `restart rpc.statd, as ${why}; it keeps whom it monitors in /var/lib/nfs/sm`,
      };
    },
    act: async () => {
      const old = runs();
      const why = old === undefined ? 'it did not run' : reasonOf(old, false);
      const before = monitored(host)?.hosts ?? [];
      const unit = (old === undefined ? undefined : unitNow(host, old)) ?? usualUnit;
      const restart = restartOf(unit);
      await runOrFail(host, restart, `See "journalctl -u ${unit}".`);
      await waitUntil(host, 'rpc.statd to start', () => {
        const now = runs();
        return now !== undefined && now.pid !== old?.pid && isRight(now);
      });
      const now = runs();
      if (now === undefined || !isRight(now)) {
        return {
          state: 'by hand',
          detail: `rpc.statd ${now === undefined ? 'does not run' : `runs ${now.callout ?? 'no callout'}`} after "${restart.join(' ')}": see its unit and /etc/default/nfs-common for -H`,
        };
      }
      return { state: 'done', detail: `restarted, as ${why}; ${monitoredText(host, before)}` };
    },
  };
}

function reasonOf({ callout, isOutdated }: StatdProcess, isAhead: boolean): string {
  if (isOutdated || isAhead) return 'it read nfs.conf before this';
  return callout === undefined ? 'it runs no callout' : `it runs ${callout}`;
}

/** The unit that it runs in: rpc-statd.service, or that of a package which brings one of its own, as NFS-Ganesha's does. */
function unitNow(host: Host, { pid }: StatdProcess): string | undefined {
  return systemdRuns(host) && isInstalled('systemctl') ? unitOf(host, pid) : undefined;
}

/** A restart forgets nobody: statd reads its directory again (nfs-utils utils/statd/monitor.c, load_state). It is looked at all the same. */
function monitoredText(host: Host, before: readonly string[]): string {
  const now = new Set(monitored(host)?.hosts ?? []);
  const gone = before.filter((name) => !now.has(name));
  return gone.length === 0
    ? `${before.length} hosts monitored, as before`
    : `NOT MONITORED ANY MORE: ${gone.join(', ')}`;
}
