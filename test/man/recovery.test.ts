// nlm-failover-recovery(7): what of its lines can be seen without a kernel. All others are typed in the lab (test/lab/recovery.test.ts).
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { drivers } from '../../src/lockmanager/drivers.js';
import { manExamples } from '../helpers/man-examples.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';

const examples = manExamples(readFileSync('man/nlm-failover-recovery.7', 'utf8'));
const lines = examples.flatMap((one) => one.lines);
const sequence = (what: string, driver: string) =>
  examples.find(({ heading }) => heading === `${what} 10.10.1.1 with ${driver}`)?.lines ?? [];

test('each driver has both halves, each with its steps in the order in which they are done', (t) => {
  for (const { name } of drivers) {
    const steps = (what: string) =>
      sequence(what, name).flatMap((line) => /^# ([AB]-\d) /.exec(line)?.[1] ?? []);
    t.deepEqual(steps('release'), ['A-1', 'A-2', 'A-3', 'A-4'], name);
    t.deepEqual(steps('takeover'), ['B-1', 'B-2', 'B-5', 'B-4', 'B-3'], name);
  }
});

test('of what every node exports too, and every node is in grace before anything of the address goes or is up', (t) => {
  for (const [what, steps, after] of [
    ['release', ['A-1', 'A-3', 'A-4'], / grace s 2:10\.10\.1\.1$/],
    ['takeover', ['B-1', 'B-2', 'B-5', 'B-4', 'B-3'], / grace s 5:10\.10\.1\.1$/],
  ] as const) {
    const { lines: own = [] } =
      examples.find(({ heading }) => heading === `${what} 10.10.1.1 of what every node exports`) ?? {};
    t.deepEqual(
      own.flatMap((line) => /^# ([AB]-\d) /.exec(line)?.[1] ?? []),
      steps,
    );
    const at = (pattern: RegExp) => own.findIndex((line) => pattern.test(line));
    t.true(at(/^# on each of a, b that is not dead/) >= 0);
    t.true(at(/^# on each of/) < at(/ grace s 0:$/) && at(/ grace s 0:$/) < at(after));
    t.true(own.every((line) => !/>> \/etc\/hosts/.test(line) || /'10\.10\.1\.1 \S+'/.test(line)));
  }
});

test('CTDB: all refuse, then all stop, then all start; nothing is left refused, and no two addresses notify from one directory', (t) => {
  const parts = examples.filter(({ section }) => section === 'BY HAND WITH CTDB');
  t.deepEqual(
    parts.map(({ heading }) => /refuse NLM|stop the|start it|notify|works again/.exec(heading)?.[0]),
    ['refuse NLM', 'stop the', 'start it', 'notify', 'works again'],
  );
  const own = parts.flatMap((part) => part.lines);
  const order = [
    /^mv \S*62\.nlm-failover\.script /,
    /^systemctl stop nlm-failover-ctdb\.service/,
    / add rule inet by_hand in /,
    /^rm -f \/run\/nlm-failover\/serving\/\*/,
    /^echo 0 > \/proc\/fs\/nfsd\/threads/,
    /^rpc\.nfsd 16/,
    /^until rpcinfo/,
    /^nft delete table inet by_hand$/,
    /^sm-notify .* -P \/shared\/state\/notify-10\.10\.1\.1$/,
    /^mv \S*62\.nlm-failover\.script~ /,
    /^systemctl start nlm-failover-ctdb\.service/,
  ].map((pattern) => own.findIndex((line) => pattern.test(line)));
  t.true(order.every((at) => at >= 0));
  t.deepEqual(
    order,
    order.toSorted((one, next) => one - next),
  );
  // As rpcinfo has the lock manager of IPv6 and that of IPv4.
  const ports = own.find((line) => line.startsWith('rpcinfo | awk')) ?? '';
  const [, rest = ''] = /^rpcinfo (\| awk .* \| sort -u) /.exec(ports) ?? [];
  const listed =
    '    100021    4    tcp6      ::.171.205             nlockmgr   superuser\n' +
    '    100021    3    udp       0.0.0.0.2.1            nlockmgr   superuser\n' +
    '    100024    1    udp       0.0.0.0.2.2            status     29\n';
  const found = execFileSync('sh', ['-c', `cat ${rest}`], { input: listed, encoding: 'utf8' });
  t.is(found, 'tcp 43981\nudp 513\n');
});

test('a shell takes every line, nothing is for some cases only, and nothing is this machine’s', (t) => {
  t.true(lines.length > 150);
  for (const line of lines) {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: `${line}\n`, encoding: 'utf8' });
    t.is(status, 0, `${line}\n${stderr}`);
  }
  for (const line of examples.filter(({ heading }) => heading !== '').flatMap((one) => one.lines)) {
    t.notRegex(line, /only where|\/usr\/etc|GATEWAY|\{[a-z]+,/);
    t.notRegex(line.replace(/#.*/, ''), /nlm-failover /, 'without this program');
  }
});

test('nlm-fsid: the lines are those of lockd but for A-3 and B-2, and these write what the driver writes', (t) => {
  const own = (what: string) => {
    const others = new Set(sequence(what, 'lockd'));
    return sequence(what, 'nlm-fsid').filter((line) => !others.has(line));
  };
  t.deepEqual(own('release'), ['echo 1234 > /proc/fs/nfsd/nlm_unlock']);
  t.deepEqual(own('takeover'), ['echo 1234 > /proc/fs/nfsd/nlm_set_ip_grace']);
  const site = makeRehearsal({ address: '127.77.33.1', rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a } = site;
  for (const file of ['nlm_unlock', 'nlm_set_ip_grace']) a.write(`/proc/fs/nfsd/${file}`, '');
  for (const line of [...own('release'), ...own('takeover')])
    execFileSync('sh', ['-c', line.replace('/proc/fs/nfsd', a.path('/proc/fs/nfsd'))]);
  for (const file of ['nlm_unlock', 'nlm_set_ip_grace']) t.is(a.read(`/proc/fs/nfsd/${file}`), '1234\n');
});
