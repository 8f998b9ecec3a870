// A state_directory that was edited: no second record is begun beside the first one, which alone has the clients. On a rehearsal host.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';

const address = '127.77.33.1';
const file = '/etc/nlm-failover.toml';

for (const [title, from, to] of [
  ['to a directory below', '/mnt/state1', '/mnt/state1/new/er'],
  ['to the top', '/mnt/state1/a/b/c', '/mnt/state1'],
  ['to another one', '/mnt/state1/old', '/mnt/state1/new'],
] as const)
  test(`${title}: takeover begins no new record, and goes on once that is moved`, async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1 });
    t.teardown(() => site.remove());
    const { a, b } = site;
    const edit = (node: typeof a, directory: string) =>
      node.write(
        file,
        node.read(file).replace(/^state_directory = .*$/m, `state_directory = "${directory}"`),
      );
    edit(a, from);
    t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
    t.is((await a.here(['release', address])).exitCode, 0);
    edit(b, to);
    const refused = await b.here(['takeover', address, '--no-wait', '--json']);
    t.is(refused.exitCode, 1, refused.stdout);
    t.regex(refused.stdout, /"code":"RECORD_EXISTS"/);
    t.true(
      refused.stdout.includes(`${to} has no record of ${address}, and ${from} on the same volume has one`),
    );
    t.is(b.read('/addresses.json'), '[]');
    t.is(b.read('/var/lib/nfs/etab'), '');
    t.false(existsSync(path.join(b.path(to), `sm_${address}`)));
    // B-1 has mounted it to look, as it does for a rebuild.
    const moved = await b.here(['move-record', address, '--from', from]);
    t.is(moved.exitCode, 0, moved.stderr);
    const takeover = await b.here(['takeover', address, '--no-wait']);
    t.is(takeover.exitCode, 0, takeover.stderr);
    t.regex(takeover.stdout, /epoch 2, after A/);
  });

test('what is no record of the address is no hindrance', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a } = site;
  const disk = a.path('/dev/state1');
  for (const directory of ['sm_127.77.33.9', `b/sm_${address}`, 'lost+found'])
    mkdirSync(path.join(disk, directory), { recursive: true });
  writeFileSync(path.join(disk, 'sm_127.77.33.9/monitors.db'), 'of another address');
  a.write(file, a.read(file).replace('"/mnt/state1"\n', '"/mnt/state1/records"\n'));
  const takeover = await a.here(['takeover', address, '--no-wait']);
  t.is(takeover.exitCode, 0, takeover.stderr);
});
