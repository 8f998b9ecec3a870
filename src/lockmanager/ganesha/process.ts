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

const answerMs = 1000;

/** Who listens at the port that rpcbind names for an RPC program: NFS-Ganesha, another one, the kernel too, or nobody. */
type Registrant = 'ganesha' | 'another' | 'nobody';

/** Undefined where rpcbind does not answer. */
async function registrantOf(
  host: Host,
  service: { readonly program: number; readonly version: number; readonly protocol: 'tcp' | 'udp' },
): Promise<Registrant | undefined> {
  const { rpcbindLookup } = await import('../../rpc/rpcbind.js');
  const port = await rpcbindLookup({ ...service, address: '127.0.0.1', timeoutMs: answerMs });
  if (port === undefined) return undefined;
  if (port === 0) return 'nobody';
  const listening = service.protocol === 'tcp' ? '-Hlntp' : '-Hlnup';
  const { stdout } = await host.run(['ss', listening, 'sport', '=', `:${port}`], { short: true });
  return stdout.includes(`"${program}"`) ? 'ganesha' : 'another';
}

/**
 * Whether NFS-Ganesha is its own statd (program 100024, nfs-utils sm_inter.x), as it can be since 2026: then it answers SM_NOTIFY itself, and
 * runs no callout.
 */
export async function isItsOwnStatd(host: Host): Promise<boolean> {
  return (await registrantOf(host, { program: 100_024, version: 1, protocol: 'udp' })) === 'ganesha';
}

/** Who is lockd for clients: NLM of version 4 (RFC 1813 appendix II), which is all that NFS-Ganesha has. Undefined: nobody can tell. */
export async function nlmRegistrant(host: Host): Promise<Registrant | undefined> {
  return registrantOf(host, { program: 100_021, version: 4, protocol: 'tcp' });
}
