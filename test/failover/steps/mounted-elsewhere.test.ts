// B-1 before a volume is mounted that was not unmounted cleanly: what lets it through, for the volume that the record lies on, whose owner nobody
// knows yet, and for the others.
import { writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import type { Volume } from '../../../src/config/config.js';
import { FailoverError } from '../../../src/errors.js';
import { type Prover, unproved } from '../../../src/fencing/prover.js';
import { refuseMountedElsewhere } from '../../../src/failover/steps/mounted-elsewhere.js';
import { runCommand } from '../../../src/host/running/command.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { rehearsalContext } from '../../helpers/rehearsal-context.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';

type Others = 'down' | 'alive' | 'not asked';

/** Who can prove it; `others`: what he answers about all other nodes, and whether he can be asked that. */
function prover(others: Others, asked: string[]): Prover {
  return {
    name: 'test',
    asks: () => [],
    prove: async ({ node }) => `${node} was fenced`,
    ...(others === 'not asked'
      ? {}
      : {
          proveOthers: async (address) => {
            asked.push(address);
            if (others === 'alive') throw unproved(address, 'C is alive', 'Fence it.');
          },
        }),
  };
}

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
  readonly voucher?: 'caller' | Others;
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
  const asked: string[] = [];
  const context = await rehearsalContext(site.b, {
    host: {
      ...rehearsed,
      run: async (argv, how) => (argv[0] === 'dd' ? runCommand(argv, how) : rehearsed.run(argv)),
    },
    voucher: voucher === undefined || voucher === 'caller' ? voucher : prover(voucher, asked),
  });
  const volume: Volume = { device, mountpoint: '/mnt/state1', type, options };
  const action = refuseMountedElsewhere({ ...context.floatingIp, stateVolume: volume }, volume, ownerIsKnown);
  const [seen] = (await action.look?.(context, { asksNames: false })) ?? [];
  const look = seen === undefined ? 'nothing' : seen.isNote === true ? 'a note' : 'an obstacle';
  t.is(asked.length, 0, 'a look asks nobody');
  try {
    await action.check(context);
    return [look, 'mounted', asked.length];
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    t.is(error.exitCode, 4);
    return [look, error.code, asked.length];
  }
}

const dirty = { head: dirtyExt4(false) };
const withMmp = { head: dirtyExt4(true) };

const cases: readonly (readonly [what: string, of: Case, outcome: readonly unknown[]])[] = [
  ['dirty, nobody to ask', dirty, ['an obstacle', 'DEVICE_IN_USE', 0]],
  ["dirty, the caller's word", { ...dirty, voucher: 'caller' }, ['nothing', 'mounted', 0]],
  ['dirty, all others are down', { ...dirty, voucher: 'down' }, ['a note', 'mounted', 1]],
  ['dirty, another node is alive', { ...dirty, voucher: 'alive' }, ['a note', 'NOT_FENCED', 1]],
  ['dirty, a fence command', { ...dirty, voucher: 'not asked' }, ['an obstacle', 'DEVICE_IN_USE', 0]],
  ['with MMP, nobody to ask', withMmp, ['an obstacle', 'DEVICE_IN_USE', 0]],
  ['with MMP, a fence command', { ...withMmp, voucher: 'not asked' }, ['a note', 'mounted', 0]],
  ['with MMP, Pacemaker', { ...withMmp, voucher: 'alive' }, ['a note', 'mounted', 0]],
  [
    'with MMP, read-only',
    { ...withMmp, voucher: 'not asked', options: 'noatime,ro' },
    ['an obstacle', 'DEVICE_IN_USE', 0],
  ],
  [
    'with MMP, mounted as ext3',
    { ...withMmp, voucher: 'not asked', type: 'ext3' },
    ['an obstacle', 'DEVICE_IN_USE', 0],
  ],
  ['xfs, nobody to ask', { type: 'xfs' }, ['an obstacle', 'OWNER_UNKNOWN', 0]],
  ['xfs, a fence command', { type: 'xfs', voucher: 'not asked' }, ['an obstacle', 'OWNER_UNKNOWN', 0]],
  ['xfs, all others are down', { type: 'xfs', voucher: 'down' }, ['a note', 'mounted', 1]],
  ['xfs, another node is alive', { type: 'xfs', voucher: 'alive' }, ['a note', 'NOT_FENCED', 1]],
  // After the claim: what was not proved for it, is not for the others' volumes.
  [
    'the owner known, released, dirty',
    { ...withMmp, voucher: 'down', ownerIsKnown: true },
    ['a note', 'DEVICE_IN_USE', 0],
  ],
];

for (const [what, of, expected] of cases)
  test(`${what}: ${expected.slice(0, 2).join(', ')}`, async (t) => {
    t.deepEqual(await outcome(t, of), expected);
  });
