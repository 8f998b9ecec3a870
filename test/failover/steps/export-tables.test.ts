// A-4 where the kernel keeps what mountd has said of an export, since it was told to forget more than once in a second.
import test from 'ava';
import { runHere } from '../../fault/site.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

const table = '/proc/net/rpc/nfsd.fh';

test('an export that the kernel keeps is forgotten before its file system is unmounted', async (t) => {
  const site = makeRehearsal({ address: '127.77.43.1', rpcbindPort: 1, fsids: [1234, 5678] });
  t.teardown(() => site.remove());
  const { a } = site;
  t.is((await runHere(site.directory, 'A', ['takeover', '127.77.43.1', '--no-wait'])).exitCode, 0);
  const mounted = a
    .read('/proc/self/mountinfo')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? []);
  const volume = mounted.find((one) => /vol/.test(one)) ?? '';
  t.not(volume, '');
  mkdirSync(path.dirname(a.path(`${table}/flush`)), { recursive: true });
  // As exportfs(8) -f leaves it that was run some times in this second.
  const ahead = Math.floor(Date.now() / 1000) + 2;
  a.write(`${table}/flush`, `${ahead}\n`);
  a.write(`${table}/content`, `#domain fsidtype fsid [path]\n# * 1 0x000004d2 ${volume}\n`);
  const released = await runHere(site.directory, 'A', ['release', '127.77.43.1']);
  t.is(released.exitCode, 0, released.output);
  t.is(a.read(`${table}/content`).trim(), '');
  // It was told when the time had come, and not so often that the time ran away.
  t.true(Number.parseInt(a.read(`${table}/flush`), 10) > ahead);
});
