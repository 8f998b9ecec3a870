// A-4 where the kernel keeps what mountd has said of an export, since it was told to forget more than once in a second.
import test from 'ava';
import { runHere } from '../../fault/site.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { flushExports } from '../../../src/host/actions/export-tables.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { within } from '../../../src/host/running/deadline.js';

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

test('a time that exports of other addresses put off during the wait is waited for too', async (t) => {
  const site = makeRehearsal({ address: '127.77.43.2', rpcbindPort: 1, fsids: [1234] });
  t.teardown(() => site.remove());
  const { a } = site;
  const keepUntil = (seconds: number) =>
    a.write(`${table}/flush`, `${Math.floor(Date.now() / 1000) + seconds}\n`);
  mkdirSync(a.path(table), { recursive: true });
  a.write(`${table}/content`, '* 1 0x000004d2 /mnt/vol1\n');
  keepUntil(1);
  const limit = { what: 'A-4', seconds: 60, key: '[timeouts].A-4', settle: 1, busy: 1, record: 1 };
  const host = rehearsalHost(a.root);
  const flushed = within(limit, async () => flushExports(['/mnt/vol1']).act({ host }));
  const putOff = setTimeout(() => keepUntil(8), 1000);
  t.teardown(() => clearTimeout(putOff));
  t.is(await flushed, undefined);
  t.is(a.read(`${table}/content`).trim(), '');
});
