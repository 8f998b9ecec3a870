import { bootLab } from '../lab/lab.js';
import { lockThrough, prepareServers, reclaimed } from '../lab/scenario-steps.js';
import { tool } from '../lab/site.js';
import { LabSite } from '../lab/sites/lab-site.js';
import { defaultSite } from '../lab/sites/traits.js';
import type { Stage } from './stage.js';

/** The story on three real kernels. */
export async function labStage(): Promise<Stage> {
  const started = performance.now();
  const lab = await bootLab({
    site: new LabSite({ ...defaultSite, path: 'volume' }),
    onKernels: { A: 'system', B: 'system', C: 'system' },
  });
  try {
    await prepareServers(lab, [lab.moving], { driver: 'auto' });
  } catch (error) {
    await lab.stop();
    throw error;
  }
  const { a, b, c, disks, moving } = lab;
  const nodes = { A: a, B: b };
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  return {
    introduction:
      `This is the lab: three Linux kernels of their own (User-Mode Linux), up in ${seconds} s. Servers A and B share the disks;\n` +
      `two NFS clients, the holder of a lock and a rival who wants it, use the floating IP ${moving.address}. Everything is real.`,
    address: moving.address,
    tool: async (node, args) => (await nodes[node].run([tool, ...args])).stdout,
    endGrace: (node) => nodes[node].endGrace(moving.address),
    lock: async (text) => {
      const { holder } = await lockThrough(lab, moving);
      await holder.write('/mnt/nfs/ledger.txt', text);
    },
    rivalGetsLock: () => c.client('rival').tryLock('/mnt/nfs/file'),
    locksOn: async (node) => (await nodes[node].nfsLocks()).map(({ line }) => line),
    reclaimed: () => reclaimed(b, disks.vol1.device),
    read: () => c.client('holder').read('/mnt/nfs/ledger.txt'),
    failedReclaims: async () =>
      (await c.kernelLog()).split('\n').filter((line) => line.includes('failed to reclaim')),
    stop: () => lab.stop(),
  };
}
