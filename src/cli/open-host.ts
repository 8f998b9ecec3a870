import type { Environment } from '../environment.js';
import type { Host } from '../host/host.js';
import { realHost } from '../host/real.js';

export interface OpenHost {
  readonly host: Host;
  /** Port of the clients' rpcbind. */
  readonly rpcbindPort: number;
  /** Whether root, or the kernel, has registered an RPC program with this host's rpcbind; undefined: that does not answer. */
  readonly nlmRegistered: (program: number) => Promise<boolean | undefined>;
  /** Whether it is registered with the rpcbind behind a local socket. */
  readonly registeredAt: (rpcbindSocket: string, program: number) => Promise<boolean>;
}

const answerTimeoutMs = 1_000;

/**
 * A local rpcbind answers at once, and one that is not there is refused at once. Seen: a second was over on a busy machine while
 * this process itself had to wait, and two daemons of four were taken for unregistered.
 */
const localAnswerTimeoutMs = 5_000;

/** The machine, or the rehearsal that NLM_FAILOVER_REHEARSAL names (nlm-failover(8), ENVIRONMENT). */
export async function openHost(env: Environment = process.env): Promise<OpenHost> {
  const registeredAt: OpenHost['registeredAt'] = async (rpcbindSocket, program) => {
    const { registeredPrograms } = await import('../rpc/rpcbind-local.js');
    return (await registeredPrograms(rpcbindSocket, localAnswerTimeoutMs))?.has(program) === true;
  };
  const directory = env.NLM_FAILOVER_REHEARSAL;
  if (directory !== undefined && directory !== '') {
    const { openRehearsal } = await import('../host/rehearsal/rehearsal.js');
    return { ...openRehearsal(directory), registeredAt };
  }
  return {
    host: realHost,
    rpcbindPort: 111,
    nlmRegistered: async (program) => {
      const { rpcbindLookup } = await import('../rpc/rpcbind.js');
      // lockd registers versions 1, 3 and 4; 4 is the NFSv3 one (fs/lockd/svc.c).
      const port = await rpcbindLookup({
        address: '127.0.0.1',
        program,
        version: 4,
        protocol: 'tcp',
        timeoutMs: answerTimeoutMs,
      });
      if (port === undefined || port === 0) return port === undefined ? undefined : false;
      // Also where another version alone is registered (rpcbind, rpcb_svc_com.c, find_service), by whoever it may be.
      const { registrations, rpcbindSocket } = await import('../rpc/rpcbind-local.js');
      const { isRoots } = await import('../rpc/rpcbind-messages.js');
      const there = await registrations(rpcbindSocket, localAnswerTimeoutMs);
      return there === undefined || there.some((one) => one.program === program && isRoots(one));
    },
    registeredAt,
  };
}
