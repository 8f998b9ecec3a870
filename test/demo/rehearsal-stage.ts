import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { startLoopbackClient } from './loopback-client.js';
import type { Stage } from './stage.js';

/** On loopback, where any address of 127/8 is this host's. */
const floatingIp = '127.77.1.1';
const holder = '127.77.2.21';
/** As lockd's locks look; no process has this pid, so it counts as the lock manager's. */
const lockLine = '1: POSIX  ADVISORY  WRITE 4194305 07:01:12 0 EOF\n';

/**
 * The story without root: the machine is a directory, the clients' kernels are played by this file;
 * the command, the callout, the record and the SM_NOTIFY packets are real.
 */
export async function rehearsalStage(reason: string): Promise<Stage> {
  let site: ReturnType<typeof makeRehearsal> | undefined;
  let reclaim: () => void = () => undefined;
  const notified = new Promise<void>((resolve) => (reclaim = resolve));
  const client = await startLoopbackClient(holder, 0, (monName) => {
    if (site === undefined || monName !== floatingIp) return;
    reclaimOn(site.b);
    reclaim();
  });
  const made = makeRehearsal({ address: floatingIp, rpcbindPort: client.port });
  site = made;
  const nodes = { A: made.a, B: made.b };
  const locks = (node: RehearsalNode) =>
    node
      .read('/proc/locks')
      .split('\n')
      .filter((line) => line !== '');
  return {
    introduction:
      `This is a REHEARSAL, not the lab: ${reason}\n` +
      `Mounts, addresses, exports and the kernel's locks are files in ${made.directory};\n` +
      'the clients are played. Real are the command, the callout, the SQLite record and the SM_NOTIFY packets, on loopback.',
    address: floatingIp,
    tool: async (node, args) => {
      const { exitCode, stdout, stderr } = await nodes[node].tool(args);
      if (exitCode !== 0)
        throw new Error(`nlm-failover ${args.join(' ')} exited with ${exitCode}: ${stderr}`);
      return stdout;
    },
    endGrace: async (node) => nodes[node].write('/proc/fs/lockd/nlm_end_grace', 'Y\n'),
    lock: async (text) => {
      made.a.write('/proc/locks', lockLine);
      made.a.write('/mnt/vol1/ledger.txt', text);
      addClient(made.a, holder);
    },
    // Whoever serves the export refuses while the lock is held or the grace period runs.
    rivalGetsLock: async () =>
      [made.a, made.b].some((node) => serves(node) && locks(node).length === 0 && !inGrace(node)),
    locksOn: async (node) => locks(nodes[node]),
    reclaimed: async () => (await Promise.race([notified, done()]), locks(made.b).length === 1),
    read: async () => made.b.read('/mnt/vol1/ledger.txt'),
    failedReclaims: async () => [],
    stop: async () => {
      client.close();
      made.remove();
    },
  };
}

/** What the client's kernel does when it is notified: it reclaims, and gets it in grace only. */
function reclaimOn(node: RehearsalNode): void {
  if (serves(node) && inGrace(node)) node.write('/proc/locks', lockLine);
}

function serves(node: RehearsalNode): boolean {
  return (
    node.read('/var/lib/nfs/etab').includes('/mnt/vol1') && node.read('/addresses.json').includes(floatingIp)
  );
}

function inGrace(node: RehearsalNode): boolean {
  return node.read('/proc/fs/lockd/nlm_end_grace').trim() === 'N';
}

/** The takeover has ended by now, and notified everybody it could: who was not notified by then is not. */
function done(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
