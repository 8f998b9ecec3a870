import { readdirSync } from 'node:fs';
import type { Host } from '../../host/host.js';
import { namespaceOf } from '../../host/reading/namespaces.js';

const program = 'ganesha.nfsd';

/** The NFS-Ganesha of this network namespace. */
export interface GaneshaProcess {
  readonly pid: string;
  /** Stopped by a signal or a debugger: it answers nobody (proc_pid_stat(5), T and t). */
  readonly isStopped: boolean;
  /** What no other process of this boot has or had: its pid, and when it was started, in ticks since the boot. */
  readonly identity: string;
}

/** Undefined: none runs there. One of root's, as any user may give a process that name. */
export function ganeshaProcess(host: Host): GaneshaProcess | undefined {
  const namespace = namespaceOf(host.path('/proc/self/ns/net'));
  const pid = readdirSync(host.path('/proc')).find(
    (one) =>
      /^\d+$/.test(one) &&
      host.readText(`/proc/${one}/comm`)?.trim() === program &&
      /^Uid:\s+\d+\s+0\s/m.test(host.readText(`/proc/${one}/status`) ?? '') &&
      namespaceOf(host.path(`/proc/${one}/ns/net`)) === namespace,
  );
  if (pid === undefined) return undefined;
  // The name in it may have blanks and brackets: what follows the last bracket is state, ppid, ... and starttime, the 22nd field.
  const fields = host
    .readText(`/proc/${pid}/stat`)
    ?.replace(/^.*\) /s, '')
    .split(' ');
  if (fields === undefined) return undefined;
  const [state = ''] = fields;
  const started = fields[22 - 3] ?? '';
  return {
    pid,
    isStopped: /^[Tt]$/.test(state),
    identity: `${pid} ${started}`,
  };
}

/** statd's program (RFC 1813 appendix II has lockd's, nfs-utils sm_inter.x this one). */
const statd = { program: 100_024, version: 1, protocol: 'udp' } as const;
const answerMs = 1000;

/**
 * Whether NFS-Ganesha is its own statd, as it can be since 2026: then it has registered program 100024, answers SM_NOTIFY itself, and runs no
 * callout. Seen by who has the port that rpcbind names.
 */
export async function isItsOwnStatd(host: Host): Promise<boolean> {
  const { rpcbindLookup } = await import('../../rpc/rpcbind.js');
  const port = await rpcbindLookup({ ...statd, address: '127.0.0.1', timeoutMs: answerMs });
  if (port === undefined || port === 0) return false;
  const { stdout } = await host.run(['ss', '-Hlnup', 'sport', '=', `:${port}`], { short: true });
  return stdout.includes(`"${program}"`);
}
