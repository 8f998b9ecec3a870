// A takeover with a driver that takes the locks of every address served on the node: whose clients are notified, whose are not, and
// what is refused because nobody could be notified.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openRecord } from '../../../src/record/record.js';
import { startLoopbackClient } from '../../demo/loopback-client.js';
import { runHere } from '../../fault/site.js';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from '../../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../../helpers/rehearsal-steps.js';

const [moving, staying] = ['127.77.14.1', '127.77.14.2'];
const shared = '/shared_storage';
const lock = '1: POSIX  ADVISORY  WRITE 999999999 07:01:12 0 EOF\n';
let number = 20;

interface Place {
  readonly site: RehearsalSite;
  readonly client: string;
  /** The NSM states that the client was notified of `staying`, by whichever node. */
  readonly notified: number[];
}

/** A serves `staying`, with a client that is notified by B or A. `where`: the record, on the volume or on shared storage. */
async function makePlace(t: ExecutionContext, where: 'shared' | 'volume' = 'shared'): Promise<Place> {
  const notified: number[] = [];
  const client = await startLoopbackClient(`127.77.14.${(number += 1)}`, 0, (name, state) => {
    if (name === staying) notified.push(state);
  });
  t.teardown(() => client.close());
  const site = makePair(t, client.port, where);
  await succeed(t, site, 'A', ['takeover', staying, '--no-wait']);
  addClient(site.a, client.address);
  site.a.write('/proc/locks', lock);
  return { site, client: client.address, notified };
}

function makePair(t: ExecutionContext, rpcbindPort: number, where: 'shared' | 'volume'): RehearsalSite {
  const site = makeRehearsal({
    address: moving,
    rpcbindPort,
    others: [{ address: staying, fsid: 1235 }],
    ...(where === 'shared' ? { stateDirectory: shared } : {}),
  });
  t.teardown(() => site.remove());
  mkdirSync(path.join(site.directory, 'storage'));
  for (const node of [site.a, site.b]) node.link(shared, path.join(site.directory, 'storage'));
  return site;
}

async function succeed(
  t: ExecutionContext,
  site: RehearsalSite,
  node: 'A' | 'B',
  args: readonly string[],
): Promise<string> {
  const { exitCode, output } = await runHere(site.directory, node, args);
  t.is(exitCode, 0, output);
  return output;
}

/** Everything that the record says of the staying address, but for what its journals have beside it. */
function recordOf({ directory }: RehearsalSite): unknown {
  const record = openRecord({
    directory: path.join(directory, 'storage', `sm_${staying}`),
    node: 'observer',
    create: false,
  });
  if (record === undefined) throw new Error('there is no record');
  try {
    return {
      ownership: record.ownership(),
      clients: record.clients(),
      notNotified: record.toNotify(),
      counts: record.notifyCounts(),
      state: record.nsmState(),
      audit: record.audit(),
      operation: record.lastOperation(),
    };
  } finally {
    record.close();
  }
}

const isRecorded = (node: RehearsalNode) => {
  try {
    return node.read(`/run/nlm-failover/serving/${staying}`) !== '';
  } catch {
    return false;
  }
};

test('an address that is still its own: its clients are notified', async (t) => {
  const { site, notified } = await makePlace(t);
  const output = await succeed(t, site, 'A', ['takeover', moving, '--no-wait']);
  t.regex(output, /the locks of 127\.77\.14\.2 go too/u);
  t.is(notified.length > 0, true);
  t.true(isRecorded(site.a));
});

test('an address that another node has taken over: not recorded any more, nothing of it touched, nobody notified', async (t) => {
  const { site, notified } = await makePlace(t);
  await succeed(t, site, 'B', ['takeover', staying, '--fenced', '--no-wait']);
  const before = { record: recordOf(site), notified: [...notified], etab: site.a.read('/var/lib/nfs/etab') };
  t.is(before.notified.length > 0, true, 'B has notified them');
  t.true(isRecorded(site.a));
  // A was not dead.
  const output = await succeed(t, site, 'A', ['takeover', moving, '--no-wait']);
  t.regex(output, /127\.77\.14\.2 is not this node's any more \(node B has it \(epoch 2\)\)/u);
  t.notRegex(output, /127\.77\.14\.2 go too/u);
  t.deepEqual(recordOf(site), before.record);
  t.deepEqual(notified, before.notified);
  t.false(isRecorded(site.a));
  t.regex(site.a.read('/var/lib/nfs/etab'), /vol2/u);
  const status = await site.a.here(['status', staying]);
  t.is(status.exitCode, 1, status.stdout);
});

test('an address that is lost between B-2 and B-3: nobody notified', async (t) => {
  const { site, client, notified } = await makePlace(t);
  // The moving address has somebody to tell, so that B-3 is not skipped.
  site.a.write(`/var/lib/nfs/sm/${client}`, '');
  const output = await succeed(t, site, 'A', ['takeover', moving, '--no-wait', '--steps', 'B-1,B-2']);
  t.regex(output, /127\.77\.14\.2 go too/u);
  await succeed(t, site, 'B', ['takeover', staying, '--fenced', '--steps', 'B-1,B-2']);
  const before = recordOf(site);
  const rest = await succeed(t, site, 'A', ['takeover', moving, '--no-wait', '--steps', 'B-5,B-4,B-3']);
  t.regex(rest, /1 notified, 0 not notified.*127\.77\.14\.2 is not this node's any more/u);
  t.deepEqual(recordOf(site), before);
  t.deepEqual(notified, [], 'B tells them, within its grace');
});

for (const address of [staying, moving] as const)
  test(`${address === staying ? 'another' : 'the moving'} address is lost while its clients are notified: it ends, long before the deadline`, async (t) => {
    t.timeout(120_000);
    const client = `127.77.14.${(number += 1)}`;
    const silent = createSocket('udp4');
    t.teardown(() => silent.close());
    silent.bind(0, client);
    await once(silent, 'listening');
    const site = makePair(t, silent.address().port, 'shared');
    await succeed(t, site, 'A', ['takeover', staying, '--no-wait']);
    if (address === staying) addClient(site.a, client);
    else site.a.write(`/var/lib/nfs/sm/${client}`, '');
    const heard = once(silent, 'message');
    const running = site.a.tool(['takeover', moving, '--json', '--no-wait', '--notify-deadline', '3600']);
    await heard;
    await succeed(t, site, 'B', ['takeover', address, '--fenced', '--steps', 'B-1']);
    // 60 s after its start it would be killed.
    const { exitCode, stdout } = await running;
    if (address === moving) {
      t.is(exitCode, 4, stdout);
      t.regex(stdout, /NOT_OWNER/u);
    } else {
      t.is(exitCode, 0, stdout);
      t.regex(stdout, /127\.77\.14\.2 is not this node's any more/u);
      t.false(isRecorded(site.a));
    }
  });

/** Each: what keeps the clients of the staying address from being notified; its record is on its volume. */
const refusals: Record<
  string,
  { readonly make: (place: Place) => void; readonly code: string; readonly exitCode: number }
> = {
  'it is not in the configuration any more': {
    make: ({ site: { a } }) => {
      const text = a.read('/etc/nlm-failover.toml');
      a.write('/etc/nlm-failover.toml', text.slice(0, text.lastIndexOf('[[floating_ip]]')));
    },
    code: 'SERVED_UNCONFIGURED',
    exitCode: 3,
  },
  'its device has another name in the mount table': {
    make: ({ site: { a } }) => {
      const table = a.read('/proc/self/mountinfo');
      a.write('/proc/self/mountinfo', table.replace('/dev/state2', '/dev/mapper/x-state2'));
    },
    code: 'SERVED_UNRECORDED',
    exitCode: 1,
  },
  'its record is corrupt': {
    make: ({ site }) =>
      writeFileSync(site.a.path(`/mnt/state2/sm_${staying}/monitors.db`), 'garbage, '.repeat(999)),
    code: 'SERVED_UNRECORDED',
    exitCode: 1,
  },
  'its clients are recorded in another journal': {
    make: ({ site: { a } }) => {
      const link = a.path(`/run/nlm-failover/serving/${staying}`);
      a.write('/var/former', 'x\n');
      rmSync(link);
      symlinkSync(a.path('/var/former'), link);
    },
    code: 'SERVED_UNRECORDED',
    exitCode: 1,
  },
  'its record is gone': {
    make: ({ site }) => writeFileSync(site.a.path(`/mnt/state2/sm_${staying}/monitors.db`), ''),
    code: 'SERVED_UNRECORDED',
    exitCode: 1,
  },
};

for (const [what, { make, code, exitCode }] of Object.entries(refusals)) {
  test(`${what}: refused before anything is touched, and status names it`, async (t) => {
    const place = await makePlace(t, 'volume');
    const { site, notified } = place;
    make(place);
    const files = [
      '/proc/self/mountinfo',
      '/proc/locks',
      '/var/lib/nfs/etab',
      '/proc/fs/nfsd/threads',
      '/addresses.json',
    ];
    const machine = () => files.map((file) => site.a.read(file));
    const before = machine();
    const refused = await runHere(site.directory, 'A', ['takeover', moving, '--no-wait']);
    t.is(refused.exitCode, exitCode, refused.output);
    t.regex(refused.output, new RegExp(`"${code}".*127[.]77[.]14[.]2`, 'u'));
    t.deepEqual(machine(), before);
    const status = await site.a.here(['status', '--json']);
    t.is(status.exitCode, 1, status.stdout);
    t.regex(
      jsonLines(status.stdout)
        .map((line) => JSON.stringify(line))
        .join('\n'),
      /"address":"127[.]77[.]14[.]2"/u,
    );
    t.deepEqual(notified, []);
  });

  test(`${what}, and B-2 comes again: refused before lockd is stopped`, async (t) => {
    const place = await makePlace(t, 'volume');
    const { site } = place;
    // Known to rpc.statd, and so on the list of those to notify.
    site.a.write('/var/lib/nfs/sm/127.77.14.99', '');
    await succeed(t, site, 'A', ['takeover', moving, '--no-wait', '--steps', 'B-1,B-2']);
    site.a.write('/proc/locks', lock);
    // The grace has passed before anybody was notified, so that B-2 is done again.
    site.a.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
    make(place);
    const refused = await runHere(site.directory, 'A', ['takeover', moving, '--no-wait', '--steps', 'B-2']);
    t.is(refused.exitCode, exitCode, refused.output);
    t.regex(refused.output, new RegExp(`"${code}"`, 'u'));
    t.is(site.a.read('/proc/locks'), lock);
    t.is(site.a.read('/proc/fs/nfsd/threads'), '8\n');
  });
}
