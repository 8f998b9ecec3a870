// B-1 before a volume is mounted that was not unmounted cleanly: what lets it through, for the volume that the record lies on, whose owner nobody
// knows yet, and for the others.
import { writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import type { Volume } from '../../../src/config/config.js';
import { FailoverError } from '../../../src/errors.js';
import type { Prover } from '../../../src/fencing/prover.js';
import { refuseMountedElsewhere } from '../../../src/failover/steps/mounted-elsewhere.js';
import { runCommand } from '../../../src/host/running/command.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { rehearsalContext } from '../../helpers/rehearsal-context.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';

/** Who can prove it of a node that is named. */
const prover: Prover = { name: 'test', asks: () => [], prove: async ({ node }) => `${node} was fenced` };

/** The head of an ext4 file system that looks mounted (superblock.ts). */
function dirtyExt4(hasMmp: boolean): Buffer {
  const head = Buffer.alloc(4096);
  head.writeUInt16LE(0xef53, 1024 + 0x38);
  head.writeUInt32LE(0x4, 1024 + 0x5c);
  head.writeUInt32LE(hasMmp ? 0x104 : 0x4, 1024 + 0x60);
  return head;
}

interface Case {
  readonly head?: Buffer;
  readonly type?: string;
  readonly options?: string;
  readonly voucher?: 'caller' | 'prover';
  readonly ownerIsKnown?: boolean;
}

/** How B-1 goes on with the volume, and how a look ahead says it: mounted, or the code of the refusal. */
async function outcome(
  t: ExecutionContext,
  { head, type = 'ext4', options = '', voucher, ownerIsKnown = false }: Case,
) {
  const site = makeRehearsal({ address: '127.77.47.1', rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const rehearsed = rehearsalHost(site.b.root);
  const device = '/dev/disk';
  writeFileSync(rehearsed.path(device), head ?? Buffer.alloc(4096));
  const context = await rehearsalContext(site.b, {
    host: {
      ...rehearsed,
      run: async (argv, how) => (argv[0] === 'dd' ? runCommand(argv, how) : rehearsed.run(argv)),
    },
    voucher: voucher === 'prover' ? prover : voucher,
  });
  const volume: Volume = { device, mountpoint: '/mnt/state1', type, options };
  const action = refuseMountedElsewhere({ ...context.floatingIp, stateVolume: volume }, volume, ownerIsKnown);
  const [seen] = (await action.look?.(context, { asksNames: false })) ?? [];
  const look = seen === undefined ? 'nothing' : seen.isNote === true ? 'a note' : 'an obstacle';
  try {
    await action.check(context);
    return [look, 'mounted'];
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    t.is(error.exitCode, 4);
    return [look, error.code];
  }
}

const dirty = { head: dirtyExt4(false) };
const withMmp = { head: dirtyExt4(true) };

const cases: readonly (readonly [what: string, of: Case, outcome: readonly string[]])[] = [
  ['dirty, nobody to ask', dirty, ['an obstacle', 'DEVICE_IN_USE']],
  ["dirty, the caller's word", { ...dirty, voucher: 'caller' }, ['nothing', 'mounted']],
  // Whoever was fenced may have come back, and have it: nobody is asked of whom it is not known that he owns the address.
  ['dirty, somebody to ask', { ...dirty, voucher: 'prover' }, ['an obstacle', 'DEVICE_IN_USE']],
  ['with MMP, nobody to ask', withMmp, ['an obstacle', 'DEVICE_IN_USE']],
  ['with MMP, somebody to ask', { ...withMmp, voucher: 'prover' }, ['a note', 'mounted']],
  [
    'with MMP, read-only',
    { ...withMmp, voucher: 'prover', options: 'noatime,ro' },
    ['an obstacle', 'DEVICE_IN_USE'],
  ],
  [
    'with MMP, mounted as ext3',
    { ...withMmp, voucher: 'prover', type: 'ext3' },
    ['an obstacle', 'DEVICE_IN_USE'],
  ],
  ['xfs, nobody to ask', { type: 'xfs' }, ['an obstacle', 'OWNER_UNKNOWN']],
  ['xfs, somebody to ask', { type: 'xfs', voucher: 'prover' }, ['an obstacle', 'OWNER_UNKNOWN']],
  // After the claim: what was not proved for it, is not for the others' volumes.
  [
    'the owner known, released, dirty',
    { ...withMmp, voucher: 'prover', ownerIsKnown: true },
    ['a note', 'DEVICE_IN_USE'],
  ],
];

for (const [what, of, expected] of cases)
  test(`${what}: ${expected.join(', ')}`, async (t) => {
    t.deepEqual(await outcome(t, of), expected);
  });
