import type { Obstacle } from '../host/action.js';
import type { Argv, Host } from '../host/host.js';
import { namespaceOf } from '../host/reading/namespaces.js';
import { type StatdProcess, statdProcess } from '../host/reading/statd.js';
import { isMissing } from '../host/running/command.js';

/** Who runs a callout, and where. */
export type CalloutUser = Pick<StatdProcess, 'uid' | 'gid' | 'groups' | 'run'> & {
  readonly callout: string;
  /** What stands before a command that is to see its mounts; empty: they are this process's own. */
  readonly enter: readonly string[];
};

const ready = 'nlm-failover ha-callout: ready';

/**
 * Why the rpc.statd of a network namespace has no client recorded; undefined: it does, or none runs that could. The program that this very
 * process was given is run as its user, without capabilities, with its mounts: `check`, which writes nothing. `address`: whose
 * journal it must be able to write to. `mountNamespace`: the file of the one in which it runs, where that is not the node's.
 */
export async function calloutFault(
  host: Host,
  netns: string,
  address: string | undefined,
  mountNamespace?: string,
): Promise<Obstacle | undefined> {
  if (host.kind === 'rehearsal') return undefined;
  const statd = statdProcess(host, netns);
  if (statd === undefined) return undefined;
  const { callout, pid, isOutdated } = statd;
  if (statd.isStopped) {
    return {
      message: `rpc.statd (pid ${pid}) is stopped, and answers nobody, so that no client is recorded`,
      hint: `Find out who stopped it, then let it go on: kill -CONT ${pid}`,
    };
  }
  if (callout === undefined) {
    return {
      message: `rpc.statd (pid ${pid}) runs no callout, so that no client is recorded`,
      hint: 'Set ha-callout= in [statd] of /etc/nfs.conf to callouts/ha-callout of this installation, then restart rpc.statd: "nlm-failover setup" does both.',
    };
  }
  if (isOutdated) {
    return {
      message: `rpc.statd (pid ${pid}) read nfs.conf before it said ha-callout=${callout}, so that no client is recorded`,
      hint: 'Restart it: systemctl restart rpc-statd. It keeps whom it monitors.',
    };
  }
  return tryCallout(host, { ...statd, callout, enter: entering(pid, mountNamespace) }, address);
}

/**
 * No program is looked for in the mounts of a process if it can be helped: where they are this one's, there is nothing to enter, and those of
 * an instance have a file. Others are of somebody who is root here (see statdProcess).
 */
function entering(pid: number, mountNamespace: string | undefined): readonly string[] {
  const itsOwn = namespaceOf(`/proc/${pid}/ns/mnt`);
  if (itsOwn !== undefined && itsOwn === namespaceOf('/proc/self/ns/mnt')) return [];
  return mountNamespace === undefined
    ? ['nsenter', `--target=${pid}`, '--mount', '--pid', '--']
    : ['nsenter', `--mount=${mountNamespace}`, '--'];
}

/** The same for a callout that some user is to run. */
export async function tryCallout(
  host: Host,
  { callout, uid, gid, groups, run, enter }: CalloutUser,
  address: string | undefined,
): Promise<Obstacle | undefined> {
  const asUser = [
    // setpriv(1). Whoever is not root has no capabilities, and by this gets none.
    `--reuid=${uid}`,
    `--regid=${gid}`,
    groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`,
    '--no-new-privs',
    ...(uid === 0 ? ['--bounding-set=-all', '--inh-caps=-all'] : []),
    '--',
    'env',
    ...(run === undefined ? [] : [`NLM_FAILOVER_RUN=${run}`]),
    callout,
    'check',
    ...(address === undefined ? [] : [address]),
  ];
  const [command, ...args] = [...enter, 'setpriv', ...asUser];
  const argv: Argv = [command ?? 'setpriv', ...args];
  try {
    const { exitCode, stdout, stderr } = await host.run(argv, { short: true });
    if (exitCode === 0 && stdout.trim() === ready) return undefined;
    const said = (stderr.trim() || stdout.trim()).split('\n')[0] ?? '';
    const isOther = exitCode === 0 || said.startsWith('usage:');
    return {
      message: isOther
        ? `rpc.statd's callout ${callout} is not that of nlm-failover, or of an older version, so that no client is recorded`
        : `rpc.statd's callout ${callout} cannot record as its user, uid ${uid}: ${said || `it ended with ${exitCode}`}`,
      hint: isOther
        ? 'Set ha-callout= to callouts/ha-callout of this installation, then restart rpc.statd: "nlm-failover setup" does both.'
        : `That user must be able to pass through every directory on the way, and to run it: namei -l ${callout}`,
    };
  } catch (error) {
    if (!isMissing(error)) throw error;
    return {
      message: 'Whether rpc.statd can run its callout was not tried: no setpriv or nsenter here (util-linux)',
      isNote: true,
    };
  }
}
