import { readdirSync } from 'node:fs';
import type { Host } from '../../host/host.js';
import { namespaceOf } from '../../host/reading/namespaces.js';

const program = 'ganesha.nfsd';

/** The pid of the ganesha.nfsd in this network namespace; undefined: none runs there. */
export function ganeshaProcess(host: Host): string | undefined {
  const namespace = namespaceOf(host.path('/proc/self/ns/net'));
  return readdirSync(host.path('/proc')).find(
    (pid) =>
      /^\d+$/.test(pid) &&
      host.readText(`/proc/${pid}/comm`)?.trim() === program &&
      namespaceOf(host.path(`/proc/${pid}/ns/net`)) === namespace,
  );
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
