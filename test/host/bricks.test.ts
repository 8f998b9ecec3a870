// Whose locks a brick of GlusterFS holds, by what it writes about itself.
import test from 'ava';
import { isWholeDump, lockHosts } from '../../src/host/bricks.js';

/** CTX_ID of a connection (client.c, client_setvolume), as GlusterFS 10.3 has it. */
const connection = (host: string, pid = 970) =>
  `CTX_ID:3b6f7f0e-93a5-4f61-a8fd-0d5e5f0a3f11-GRAPH_ID:0-PID:${pid}-HOST:${host}-PC_NAME:gv-client-1-RECON_NO:-0`;

/** As pl_dump_lock has it (xlators/features/locks/src/posix.c). */
const granted = (kind: string, host: string, index = 0) =>
  `${kind}.${kind}[${index}](ACTIVE)=type=WRITE, whence=0, start=0, len=0, pid = 970, owner=9c8a1b0000000000, client=0x7f3c, connection-id=${connection(host)}, granted at 2026-11-27 20:12:05`;
const blocked = (kind: string, host: string, index = 0) =>
  `${kind}.${kind}[${index}](BLOCKED)=type=WRITE, whence=0, start=0, len=0, pid = 971, owner=9c8a1b0000000001, client=0x7f3d, connection-id=${connection(host, 971)}, blocked at 2026-11-27 20:12:06`;

const dump = (...lines: readonly string[]) =>
  `DUMP-START-TIME: 2026-11-27 20:12:09.482911 +0000

[mallinfo]
mallinfo_arena=2371584

[xlator.features.locks.gv-locks.inode]
path=/file
mandatory=0
${lines.join('\n')}

[xlator.protocol.server.gv-server]
conn.0.id=${connection('gone')}
conn.0.ref=1
conn.0.bound_xl=/srv/brick/b
[global.callpool.stack.1]
client=${connection('asking')}

DUMP-END-TIME: 2026-11-27 20:12:09.491202 +0000
`;

test('locks that are held and that are waited for, of every kind', (t) => {
  const text = dump(
    'posixlk-count=2',
    granted('posixlk', 'a'),
    blocked('posixlk', 'b', 1),
    'inodelk-count=1',
    'lock-dump.domain.domain=gv-replicate-0',
    granted('inodelk', 'c'),
    'entrylk-count=1',
    `entrylk.entrylk[0](ACTIVE)=type=ENTRYLK_WRLCK on basename=file, pid = 9, owner=00, client=0x7f, connection-id=${connection('d')}, granted at 2026-11-27 20:12:05`,
  );
  t.deepEqual(lockHosts(text), ['a', 'b', 'c', 'd']);
});

test('a dump is whole once its last line says when it ended', (t) => {
  const text = dump(granted('posixlk', 'a'));
  t.true(isWholeDump(text));
  t.false(isWholeDump(text.slice(0, text.indexOf('DUMP-END'))));
  t.false(isWholeDump(''));
  t.false(isWholeDump(`${text}\n[of another]\n`));
});

test('a connection is no lock, nor is what is asked, nor a count', (t) => {
  t.deepEqual(lockHosts(dump('posixlk-count=0')), []);
  t.deepEqual(lockHosts(''), []);
});

test('a host is its whole name: dashes, dots, what a name begins with, and what looks like the end of one', (t) => {
  const names = ['node-1', 'node-10', 'nfs-a.example.com', 'a-PC', 'HOST', 'x-HOST:y', '10.99.0.1'];
  t.deepEqual(lockHosts(dump(...names.map((name, index) => granted('posixlk', name, index)))), names);
});

test('what a lock is on is no host, whatever it is called', (t) => {
  const name = `x, connection-id=${connection('liar')}, y`;
  const line = `entrylk.entrylk[0](BLOCKED)=type=ENTRYLK_WRLCK on basename=${name}, pid = 9, owner=00, client=0x7f, connection-id=${connection('a')}, blocked at 2026-11-27 20:12:05`;
  t.deepEqual(lockHosts(dump(line)), ['a']);
});

test('a lock that does not say whose it is may be anybody’s', (t) => {
  for (const whose of ['(null)', 'node-1-970-2026/11/27-20:12:05:12345-gv-client-1-0-0'])
    t.is(
      lockHosts(dump(granted('posixlk', 'a').replace(/connection-id=\S+/, `connection-id=${whose},`))),
      undefined,
    );
});

test('a path that looks like a lock of another host is none', (t) => {
  t.deepEqual(
    lockHosts(
      dump(`path=/posixlk.posixlk[0](ACTIVE) connection-id=${connection('liar')}`, granted('posixlk', 'a')),
    ),
    ['a'],
  );
});
