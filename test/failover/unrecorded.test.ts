// Nobody is silently unrecorded: whom rpc.statd monitors and the record has not is named, and recorded by the next takeover.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';
import { unrecorded } from '../../src/failover/access/unrecorded.js';
import { takeover } from '../../src/failover/operations/takeover.js';
import { planTakeover } from '../../src/failover/plan.js';
import { rehearsalContext } from '../helpers/rehearsal-context.js';

const address = '127.77.18.1';

async function served(t: ExecutionContext, number: number) {
  const client = await startLoopbackClient(`127.77.18.${number}`, 0, () => undefined);
  const site = makeRehearsal({ address, rpcbindPort: client.port });
  t.teardown(() => {
    client.close();
    site.remove();
  });
  t.is((await site.a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  return { ...site, client };
}

const monitors = (node: RehearsalNode, ...names: string[]) => {
  for (const name of names) node.write(`/var/lib/nfs/sm/${name}`, '');
};

test('status names them and ends with 1; takeover records them, and says so', async (t) => {
  const { a } = await served(t, 21);
  a.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  monitors(a, '127.77.18.21', '127.77.18.99');
  addClient(a, '127.77.18.21');
  const status = await a.here(['status', address]);
  t.is(status.exitCode, 1);
  t.regex(
    status.stdout,
    /WRONG .*not in the record.*: 127\.77\.18\.99; run "nlm-failover takeover 127\.77\.18\.1"/,
  );
  t.is((await a.here(['status', '--is-served', address])).exitCode, 0, 'it is served all the same');
  t.deepEqual(
    (JSON.parse((await a.here(['status', address, '--json'])).stdout) as { unrecorded: string[] }).unrecorded,
    ['127.77.18.99'],
  );

  const again = await a.here(['takeover', address, '--no-wait', '--json']);
  t.is(again.exitCode, 0, again.stderr);
  const done = jsonLines(again.stdout).filter(({ state }) => state === 'done');
  t.deepEqual(
    done.map(({ step }) => step),
    ['B-2'],
  );
  t.regex(done[0]?.detail ?? '', /recorded now, and not by the callout: 127\.77\.18\.99$/);
  t.is(a.read('/proc/fs/lockd/nlm_end_grace'), 'Y\n', 'no new grace');
  t.is((await a.here(['status', address])).exitCode, 0);
  t.regex((await a.here(['clients', address])).stdout, /127\.77\.18\.99/);
});

test('statd’s file has the name that the name service gives a host, and its lines those that the callout was given', async (t) => {
  const { a } = await served(t, 24);
  a.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  const line = (monName: string) => `0100007f 000186b5 00000003 00000010 ${'00'.repeat(16)} ${monName} A\n`;
  // nfs-utils support/nsm/file.c: a line more for each address of the same name.
  a.write('/var/lib/nfs/sm/holder.lab.example', line('127.77.18.24') + line('fd77::24'));
  for (const name of ['127.77.18.24', 'fd77::24']) addClient(a, name);
  const well = await a.here(['status', address]);
  t.is(well.exitCode, 0, well.stdout);
  a.write('/var/lib/nfs/sm/rival.lab.example', line('127.77.18.25'));
  a.write('/var/lib/nfs/sm/other.lab.example', 'no line of statd\n');
  mkdirSync(a.path('/var/lib/nfs/sm/directory.example'));
  symlinkSync('/etc/passwd', a.path('/var/lib/nfs/sm/link.example'));
  const ill = await a.here(['status', address]);
  t.regex(ill.stdout, /WRONG .*not in the record.*: 127\.77\.18\.25, other\.lab\.example;/);
});

test('an event that the callout could not write is made good, and its mark goes', async (t) => {
  const { a } = await served(t, 22);
  monitors(a, '127.77.18.98');
  const mark = `/run/nlm-failover/marks/${address}`;
  a.write(mark, '1.0 add-client 127.77.18.98 not recorded: the write failed\n');
  t.is((await a.here(['status', address])).exitCode, 1);
  const again = await a.here(['takeover', address, '--no-wait']);
  t.regex(again.stdout, /B-2 .*recorded now, and not by the callout: 127\.77\.18\.98/);
  t.is((await a.here(['status', address])).exitCode, 0);
  t.throws(() => a.read(mark));
});

test('what can be no client is none, and who comes or goes just now is not missed', async (t) => {
  t.deepEqual(
    await unrecorded(
      async () => ['ok', '-rf', 'a b'],
      () => ['ok'],
    ),
    [],
  );
  let looks = 0;
  const coming = () => ((looks += 1) > 1 ? ['new'] : []);
  t.deepEqual(await unrecorded(async () => ['new'], coming), []);
  let asked = 0;
  t.deepEqual(
    await unrecorded(
      async () => ((asked += 1) > 1 ? [] : ['gone']),
      () => [],
    ),
    [],
  );
  t.deepEqual(
    await unrecorded(
      async () => ['b', 'a'],
      () => [],
    ),
    ['a', 'b'],
  );
  t.deepEqual(
    await unrecorded(
      async () => ['a'],
      () => undefined,
    ),
    [],
    'a record that cannot be read says so itself',
  );
});

test('a callout that cannot record: refused before the claim, or at the end of B-2; on the owner it is said', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared' });
  t.teardown(() => site.remove());
  mkdirSync(path.join(site.a.root, 'shared'));
  const silent = { begin: () => undefined, end: () => undefined };
  const run = async (fault: (served: string | undefined) => boolean) => {
    const context = await rehearsalContext(site.a);
    const driver = {
      ...context.driver,
      calloutFault: async (one: string | undefined) =>
        fault(one) ? { message: `no callout for ${one ?? 'anybody'}` } : undefined,
    };
    const plan = planTakeover(context.floatingIp, driver, {
      node: 'A',
      order: 'safe',
    });
    return t.throwsAsync(takeover(plan, { ...context, driver }, silent));
  };
  t.like(await run(() => true), { message: 'no callout for anybody', exitCode: 3 });
  t.is(site.a.read('/proc/self/mountinfo'), '', 'nothing was mounted');
  t.throws(() => site.a.read(`/shared/sm_${address}/monitors.db`));
  t.like(await run((one) => one !== undefined), {
    message: `no callout for ${address}`,
    exitCode: 1,
    code: 'NOT_VERIFIED',
  });
  t.is((await site.a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  t.like(await run(() => true), { message: `no callout for ${address}`, exitCode: 1 });
});

test('after a crash nothing is claimed of a client whom nobody could see', async (t) => {
  const { a, b, client } = await served(t, 23);
  addClient(a, client.address);
  // The power is cut.
  b.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  t.is((await b.here(['takeover', address, '--fenced', '--no-wait'])).exitCode, 0);
  b.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  // It has asked for a lock, and the callout of B has not recorded that: the record has it from A alone.
  b.write(`/run/nlm-failover/marks/${address}`, '1.0 add-client x not recorded: the write failed\n');
  const audit = await b.here(['audit', address]);
  t.is(audit.exitCode, 0, audit.stderr);
  t.regex(audit.stdout, /UNSEEN +127\.77\.18\.23/);
  t.notRegex(audit.stdout, /idle/);
  rmSync(b.path(`/run/nlm-failover/marks/${address}`));
});
