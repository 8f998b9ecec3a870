import { XdrWriter } from '../../rpc/xdr.js';

// What rpc.statd tells its lock manager when a client has rebooted: SM_NOTIFY of NLM (procedure 16 of NLM, nlm4_sm_notifyargs: name, state, priv[16];
// XNFS chapter 10). NFS-Ganesha takes it from the loopback alone, drops all that the client of that name holds, and answers when it has
// (src/Protocols/NLM/nlm_Sm_Notify.c, nlm4_Sm_Notify; state_lock.c, state_nlm_notify).

const nlm = { program: 100_021, version: 4 } as const;
const smNotify = 16;
/** Locks that were taken in this NSM state of the client would stay: no client has it, as it is not odd and counted from the largest one. */
const noState = 0x7fff_fffe;
const longestName = 1024;
const privateBytes = 16;
const loopback = '127.0.0.1';
const lookupMs = 1000;
const answerMs = 10_000;
const atOnce = 16;

/**
 * The lock manager of this host takes these clients for rebooted: their locks go, through whatever address and protocol they came. `clients`:
 * mon_names. Returns those of whom it did not say so.
 */
export async function rebootClients(clients: readonly string[], signal: AbortSignal): Promise<string[]> {
  if (clients.length === 0) return [];
  // Loaded only here, for what they cost every command.
  const { callOverTcp } = await import('../../rpc/rpc-stream.js');
  const { rpcbindLookup } = await import('../../rpc/rpcbind.js');
  const port = await rpcbindLookup({ ...nlm, protocol: 'tcp', address: loopback, timeoutMs: lookupMs });
  if (port === undefined || port === 0) return [...clients];
  const failed: string[] = [];
  const left = [...clients];
  const work = async (): Promise<void> => {
    for (let client = left.shift(); client !== undefined; client = left.shift()) {
      const args = new XdrWriter()
        .opaque(client, longestName)
        .int32(noState)
        .encoded(Buffer.alloc(privateBytes))
        .toBuffer();
      const call = { ...nlm, procedure: smNotify, args };
      const answer = await callOverTcp({ address: loopback, port, call, timeoutMs: answerMs, signal });
      if (answer.kind !== 'reply' || answer.reply.status !== 'SUCCESS') failed.push(client);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return failed;
}
