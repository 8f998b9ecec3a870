// A release where the configuration cannot be used any more, or does not have the address: by that with which it was taken over. On a rehearsal host.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeRehearsal } from '../helpers/rehearsal-site.js';

const address = '127.77.32.1';
const other = '127.77.32.2';
const file = '/etc/nlm-failover.toml';

async function served(t: ExecutionContext) {
  const site = makeRehearsal({ address, rpcbindPort: 1, others: [{ address: other, fsid: 1236 }] });
  t.teardown(() => site.remove());
  const { a, b } = site;
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  const here = () => ['/proc/self/mountinfo', '/var/lib/nfs/etab'].map((one) => a.read(one)).join('');
  const copy = path.join(a.root, 'run/nlm-failover/configured', `${address}.toml`);
  return { a, b, before: a.read(file), here, copy };
}

const edits: Readonly<Record<string, (text: string) => string | undefined>> = {
  'no TOML': (text) => `${text}\n[[floating_ip`,
  'an unknown key': (text) => text.replace('interface', 'interfce'),
  'a driver that this node cannot do': (text) =>
    text.replace('[lock_manager]', '[lock_manager]\ndriver = "nlm-fsid"'),
  'the address is taken out': (text) => {
    const [head = '', , rest = ''] = text.split(/(?=\n\[\[floating_ip\]\])/);
    return head + rest;
  },
  'another name of this node': (text) => text.replace('node = "A"', 'node = "A2"'),
  'no file': () => undefined,
};

for (const [title, edit] of Object.entries(edits))
  test(`${title}: it is given up as it was taken over, and the record is handed over`, async (t) => {
    const { a, b, before, here, copy } = await served(t);
    t.is(statSync(copy).mode & 0o777, 0o600);
    t.is(statSync(path.dirname(copy)).mode & 0o777, 0o700);
    a.write('/proc/locks', '1: POSIX  ADVISORY  WRITE 7 07:01:12 0 EOF\n');
    const after = edit(before);
    if (after === undefined) a.remove(file);
    else a.write(file, after);
    const dry = await a.here(['release', '--dry-run', address]);
    t.is(dry.exitCode, 0, dry.stderr);
    const release = await a.here(['release', address]);
    t.is(release.exitCode, 0, release.stderr);
    t.regex(
      release.stdout,
      /NOTE: by the configuration with which it was taken over, as this (?:one cannot be used: .+|node was A then, and is A2 by now)$/m,
    );
    t.is(here(), '');
    t.is(a.read('/addresses.json'), '[]');
    t.is(a.read('/proc/locks'), '');
    t.false(existsSync(copy));
    const again = await a.here(['release', address]);
    if (!again.stdout.includes('on A2')) t.not(again.exitCode, 0, 'nothing is noted any more');
    const takeover = await b.here(['takeover', address, '--no-wait']);
    t.is(takeover.exitCode, 0, takeover.stderr);
  });

test('the name of this node is noted, also where it is the host name', async (t) => {
  const { a, before, copy } = await served(t);
  t.is(readFileSync(copy, 'utf8'), before);
  t.is((await a.here(['release', address])).exitCode, 0);
  const after = before.replace('node = "A"\n', '');
  a.write(file, after);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  t.is(readFileSync(copy, 'utf8'), `node = "${hostname()}"\n${after}`);
  t.is((await a.here(['release', address])).exitCode, 0);
});

test('nothing else goes by it, and no other name leads there', async (t) => {
  const { a, before, here } = await served(t);
  const table = here();
  a.write(file, before.replace('interface', 'interfce'));
  for (const words of [
    ['takeover', address],
    ['status', address],
    ['release', other],
    ['release', `../configured/${address}`],
    ['release', `x/${address}`],
    ['release', ''],
  ])
    t.is((await a.here(words)).exitCode, 3, words.join(' '));
  t.is(here(), table);
});

test('a takeover that is run again notes what it went by, and one that is refused leaves nothing', async (t) => {
  const { a, b, before, copy } = await served(t);
  a.write(file, `${before}\n[timeouts]\nbusy = 7\n`);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  t.regex(readFileSync(copy, 'utf8'), /^busy = 7$/m);
  a.write(file, 'x');
  t.is((await a.here(['release', address])).exitCode, 0);
  a.write(file, before);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  t.true(existsSync(copy));
  t.is((await b.here(['takeover', address])).exitCode, 4);
  t.false(existsSync(path.join(b.root, 'run/nlm-failover/configured', `${address}.toml`)));
});
