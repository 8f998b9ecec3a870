import type { Host } from '../host/host.js';
import { realHost } from '../host/real.js';

export interface OpenHost {
  readonly host: Host;
  /** Port of the clients' rpcbind. */
  readonly rpcbindPort: number;
  /** Whether an RPC program is registered with this host's rpcbind. */
  readonly nlmRegistered: (program: number) => Promise<boolean>;
}

/** The machine, or the rehearsal that NLM_FAILOVER_REHEARSAL names (nlm-failover(8), ENVIRONMENT). */
export async function openHost(env: NodeJS.ProcessEnv = process.env): Promise<OpenHost> {
  const directory = env['NLM_FAILOVER_REHEARSAL'];
  if (directory !== undefined && directory !== '') {
    const { openRehearsal } = await import('../host/rehearsal.js');
    return openRehearsal(directory);
  }
  const { rpcbindLookup } = await import('../nsm/rpcbind.js');
  return {
    host: realHost,
    rpcbindPort: 111,
    nlmRegistered: async (program) => {
      // lockd registers versions 1, 3 and 4; 4 is the NFSv3 one (fs/lockd/svc.c).
      const port = await rpcbindLookup({
        address: '127.0.0.1',
        program,
        version: 4,
        protocol: 'tcp',
        timeoutMs: 1_000,
      });
      return port !== undefined && port > 0;
    },
  };
}
