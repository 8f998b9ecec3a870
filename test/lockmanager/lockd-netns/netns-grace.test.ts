// The grace of an instance, in its two parts, by what was noted when it began.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import type { Host } from '../../../src/host/host.js';
import { graceLeft, wholeGrace } from '../../../src/lockmanager/lockd-netns/grace.js';
import { instancePlace } from '../../../src/lockmanager/lockd-netns/place.js';
import { kernelDefaults, onNode } from '../../../src/lockmanager/kernel.js';

const address = '10.10.1.1';
const both = { lockd: true, nfsd: true };

function hostWith(t: ExecutionContext, files: Readonly<Record<string, string>> = {}): Host {
  const root = mkdtempSync(path.join(tmpdir(), 'nlm-failover-host-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [file, text] of Object.entries({ '/proc/version': '', ...files })) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  return rehearsalHost(root);
}

/** An instance that began its grace so long ago. */
function begun(t: ExecutionContext, seconds: number, parts: string): Host {
  const host = hostWith(t, { [instancePlace(address).graceFile]: `${1_000 - seconds} ${parts}\n` });
  return { ...host, readText: (file) => (file === '/proc/uptime' ? '1000.00 1\n' : host.readText(file)) };
}

test('what is left is what is left of the longest part that runs', (t) => {
  t.is(graceLeft(begun(t, 3.5, '60 10'), address, both), 57);
  t.is(graceLeft(begun(t, 3.5, '60 10'), address, { lockd: false, nfsd: true }), 7, 'lockd’s was ended');
  t.is(graceLeft(begun(t, 3.5, '60 10'), address, { lockd: true, nfsd: false }), 57);
  t.is(graceLeft(begun(t, 3.5, '60 10'), address, { lockd: false, nfsd: false }), 0);
  t.is(graceLeft(begun(t, 100, '60 10'), address, both), 0, 'a kernel that is late');
  t.is(graceLeft(begun(t, 3.5, '90'), address, both), 87, 'as an older version noted it');
  t.is(graceLeft(hostWith(t), address, both), undefined);
});

test('its length is that which was noted; of one that is to come, the longer part', (t) => {
  t.is(wholeGrace(begun(t, 5, '60 10'), address, 200), 60);
  t.is(wholeGrace(begun(t, 5, '10 10'), address, undefined), 10);
  t.is(wholeGrace(hostWith(t), address, undefined), 50);
  t.is(wholeGrace(hostWith(t), address, 12), 20, 'as lockd makes of it');
  const sysctl = '/proc/sys/fs/nfs/nlm_grace_period';
  t.is(wholeGrace(hostWith(t, { [sysctl]: '30\n' }), address, undefined), 30);
  t.is(
    wholeGrace(hostWith(t, { [sysctl]: '5\n', '/proc/sys/fs/nfs/nlm_timeout': '5\n' }), address, undefined),
    10,
  );
});

test('what is locked is not known to a process that does not see lockd, as in a container', async (t) => {
  const filesystem = { fsid: '1', device: '/dev/vol1', mountpoint: '/mnt/vol1' };
  const known = async (threads: string, files: Readonly<Record<string, string>> = {}) => {
    const proc = {
      '/proc/fs/nfsd/threads': threads,
      '/proc/self/mountinfo': '1 0 7:1 / /mnt/vol1 rw - ext4 /dev/vol1 rw\n',
      '/proc/locks': '',
      ...files,
    };
    const host: Host = { ...hostWith(t, proc), kind: 'real' };
    const { heldLocks } = kernelDefaults(onNode({ host, interface: 'eth0', run: '/run' }), '/proc/fs/nfsd');
    return heldLocks(filesystem);
  };
  t.is(await known('8\n'), undefined);
  t.deepEqual(await known('8\n', { '/proc/7/comm': 'lockd\n' }), []);
  t.deepEqual(await known('0\n'), [], 'nothing runs that could hold any');
});
