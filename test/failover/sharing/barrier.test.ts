// An address whose file system every node exports, on two rehearsed nodes: nobody's lock is taken anew before both are in grace.
import { existsSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { noteConfiguration } from '../../../src/rundir/configuration.js';
import { configure } from '../../helpers/check-sites.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';
import { address, endGrace, isInGrace, sharedSite, watch } from '../../helpers/shared-site.js';

const quick = ['--no-wait', '--notify-deadline', '1'];

test('both nodes are in grace when the address is up, and when its locks go', async (t) => {
  const { a, b, record } = sharedSite(t);
  const onB = watch(t, b);
  const taken = await a.here(['takeover', address, ...quick]);
  t.is(taken.exitCode, 0, taken.stdout + taken.stderr);
  t.regex(taken.stdout, /B-2 +grace .*in grace after [\d.]+ s: B/);
  t.true(isInGrace(a) && isInGrace(b));
  t.false(existsSync(path.join(record, 'barrier')), 'the call is withdrawn');
  t.is((await b.here(['status', address])).exitCode, 0);
  endGrace(a, b);
  const released = await a.here(['release', address]);
  t.is(released.exitCode, 0, released.stdout + released.stderr);
  t.regex(released.stdout, /A-3 +drop the locks .*in grace after [\d.]+ s: B/);
  t.true(isInGrace(a) && isInGrace(b));
  t.like(JSON.parse(readFileSync(path.join(record, 'barrier'), 'utf8')), { by: 'A', stands: true });
  t.is(
    onB
      .said()
      .split('\n')
      .filter((line) => line.includes('"joined"')).length,
    2,
    onB.said(),
  );
  const onA = watch(t, a);
  t.is((await b.here(['takeover', address, ...quick])).exitCode, 0);
  t.false(existsSync(path.join(record, 'barrier')), 'nobody waits for a takeover any more');
  await Promise.all([onA, onB].map((one) => one.end()));
});

test('the call of a takeover stands until its clients are notified, and every node stays in grace', async (t) => {
  const { a, b, record } = sharedSite(t);
  for (const node of [a, b]) configure(node, 'driver = "ganesha"', 'driver = "ganesha"\nganesha_grace = 10');
  const onB = watch(t, b);
  t.is((await a.here(['takeover', address, '--steps', 'B-1,B-2'])).exitCode, 0);
  t.like(JSON.parse(readFileSync(path.join(record, 'barrier'), 'utf8')), { by: 'A', stands: true });
  endGrace(b);
  for (let left = 1200; left > 0 && !isInGrace(b); left -= 1) await delay(25);
  t.true(isInGrace(b), 'entered anew');
  t.is((await a.here(['takeover', address, ...quick])).exitCode, 0);
  t.false(existsSync(path.join(record, 'barrier')));
  await onB.end();
});

test('a node that does not answer in time is named, and nobody waits for it any longer', async (t) => {
  const { a, b, record } = sharedSite(t, 'barrier = 1');
  const taken = await a.here(['takeover', address, ...quick]);
  t.is(taken.exitCode, 5, taken.stdout + taken.stderr);
  t.regex(
    taken.stdout,
    /NOTE: node B has not answered within 1 s \(\[timeouts\]\.barrier\); what its clients locked/,
  );
  t.regex(
    (await a.here(['status', address])).stdout,
    /last +takeover on A at \S+: not-notified \(node B has not answered/,
  );
  t.false(existsSync(path.join(record, 'barrier')));
  t.deepEqual(
    await b.here(['join-grace']),
    { exitCode: 0, stdout: '', stderr: '', output: '' },
    'it is over',
  );
  // No reason to keep an address, and to have the node fenced that is to give it up.
  const released = await a.here(['release', address]);
  t.is(released.exitCode, 0, released.stdout + released.stderr);
  t.regex(released.stdout, /NOTE: node B has not answered/);
  t.regex((await b.here(['status', address])).stdout, /owner +A, epoch 1, released/);
});

test('where no takeover has made a record there is nothing to release', async (t) => {
  const { a } = sharedSite(t);
  a.write('/dbus.json', '{ "inGrace": false, "exports": [] }');
  t.is((await a.here(['takeover', address, ...quick])).exitCode, 3);
  // As Pacemaker stops what it could not start: where that fails it has the node fenced.
  const released = await a.here(['release', address]);
  t.is(released.exitCode, 0, released.output);
  t.false(isInGrace(a));
});

test('an adopt that was killed before it had made a record: release says so, and gives up what is here', async (t) => {
  const { a, b, shared } = sharedSite(t);
  const up = JSON.stringify([{ ifname: 'eth0', addr_info: [{ local: address, prefixlen: 24 }] }]);
  a.write('/addresses.json', up);
  // As B-1 of adopt begins, which no daemon runs for here.
  const noted = () => noteConfiguration(a.path('/run/nlm-failover'), address, { file: a.config, node: 'A' });
  noted();
  const released = await a.here(['release', address]);
  t.is(released.exitCode, 0, released.output);
  t.regex(
    released.stdout,
    /NOTE: there is no record of 127\.78\.1\.1 in \/shared_storage, as where adopt was ended/,
  );
  t.regex(a.read('/dbus.json'), /"grace":"2:127\.78\.1\.1"/);
  t.is(a.read('/addresses.json'), '[]');
  t.false(isInGrace(b));
  endGrace(a);
  t.is((await a.here(['release', address])).exitCode, 0);
  t.false(isInGrace(a), 'nothing is left to do');
  // Storage that is not there is another matter.
  a.write('/addresses.json', up);
  noted();
  renameSync(shared, `${shared}.gone`);
  t.is((await a.here(['release', address])).exitCode, 1);
});

test('a node that is the only one says nothing of others', async (t) => {
  const { a } = sharedSite(t);
  configure(a, 'nodes = ["A", "B"]', 'nodes = ["A"]');
  const taken = await a.here(['takeover', address, ...quick]);
  t.is(taken.exitCode, 0, taken.output);
  t.regex(taken.stdout, /B-2 .*fsid 1 \(\/gv\)\n/);
});

test('a node that died with the address is not waited for', async (t) => {
  const { a, b } = sharedSite(t, 'barrier = 1');
  await a.here(['takeover', address, ...quick]);
  t.is((await b.here(['takeover', address, ...quick])).exitCode, 4);
  const taken = await b.here(['takeover', address, '--fenced', ...quick]);
  t.is(taken.exitCode, 0, taken.stdout + taken.stderr);
  t.regex(taken.stdout, /not waited for A: it is down/);
});

test('a file system that is shared no more in the configuration: its locks go as it was taken over', async (t) => {
  const { a, b } = sharedSite(t, 'barrier = 20');
  const onB = watch(t, b);
  t.is((await a.here(['takeover', address, ...quick])).exitCode, 0);
  endGrace(a, b);
  let fsid = 7;
  const own = a
    .read('/etc/nlm-failover.toml')
    .replace(/^\[\[shared_filesystem\]\]\n(?:\w.*\n)*/m, '')
    .replaceAll(/^state_directory = .*$/gm, (line) => {
      fsid += 1;
      return `${line}\n[[floating_ip.filesystem]]\nfsid = ${fsid}\nexport_id = ${fsid}\ndevice = "/dev/vol${fsid}"\nmountpoint = "/mnt/vol${fsid}"\ntype = "ext4"\n[[floating_ip.filesystem.export]]\nclients = "*"\noptions = "rw"`;
    });
  a.write('/etc/nlm-failover.toml', own);
  t.notRegex(own, /shared_filesystem/);
  const released = await a.here(['release', address]);
  t.is(released.exitCode, 0, released.stdout + released.stderr);
  t.regex(released.stdout, /NOTE: what it serves is shared by every node \(shared_filesystem\)/);
  t.regex(released.stdout, /A-3 +drop the locks .*in grace after [\d.]+ s: B/);
  await onB.end();
});

test('what stands in the place of a call and is none calls nobody; a link is refused', async (t) => {
  const { b, a, record } = sharedSite(t, 'barrier = 1');
  await a.here(['takeover', address, ...quick]);
  const call = path.join(record, 'barrier');
  const whole = { id: '6f1c0b62-7d5e-4c9a-9f0e-3a1de0d7f6aa', round: 1, by: 'A', epoch: 1, dead: [] };
  for (const text of [
    '',
    '{',
    '[]',
    'null',
    JSON.stringify({ ...whole, id: '../../etc/passwd' }),
    JSON.stringify({ ...whole, by: '../B' }),
    JSON.stringify({ ...whole, dead: 'A' }),
    `${JSON.stringify(whole)}${' '.repeat(70_000)}`,
  ]) {
    writeFileSync(call, text);
    t.deepEqual(
      await b.here(['join-grace']),
      { exitCode: 0, stdout: '', stderr: '', output: '' },
      text.slice(0, 80),
    );
  }
  t.false(isInGrace(b));
  writeFileSync(call, JSON.stringify(whole));
  t.regex((await b.here(['join-grace'])).stdout, /^127\.78\.1\.1, called by A: in grace$/m);
  t.true(isInGrace(b));
  t.deepEqual(await b.here(['join-grace']), { exitCode: 0, stdout: '', stderr: '', output: '' }, 'answered');
  // Its own call is its own.
  endGrace(b);
  writeFileSync(call, JSON.stringify({ ...whole, by: 'B' }));
  t.is((await b.here(['join-grace'])).stdout, '');
  t.false(isInGrace(b));
  rmSync(call);
  symlinkSync('/etc/hostname', call);
  const linked = await b.here(['join-grace']);
  t.is(linked.exitCode, 1);
  t.regex(linked.stderr, /barrier is not a regular file/);
});

test('join-grace without anything shared says so', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { exitCode, stderr } = await site.a.here(['join-grace']);
  t.is(exitCode, 3);
  t.regex(stderr, /has no \[\[shared_filesystem\]\]/);
});
