// What a takeover that is ended in B-2 leaves of an instance, earlier or later, or a release that is ended in A-4: it is cleared away.
import { join } from 'node:path';
import { withNetns } from '../helpers/netns.js';
import { netnsTest } from './netns-test.js';

const address = '10.88.4.1';
const script = join(import.meta.dirname, 'instance-inside.js');
const made = `/run/nlm-failover/instances/${address}`;

for (const unfinished of [
  'mkdir -p "$1"',
  'mkdir -p "$1"; mount -t tmpfs -o mode=0700 tmpfs "$1"; : >"$1/mnt"',
  'mkdir -p "$1" /run/netns; mount -t tmpfs -o mode=0700 tmpfs "$1"; : >"$1/mnt"; : >"/run/netns/$2"',
  'mkdir -p "$1"; ip netns add "$2"; ip link add nfs0 netns "$2" type veth peer name peer0',
  'ip netns add "$2"',
])
  netnsTest(unfinished, async (t) => {
    const host = await withNetns(t);
    const names = [made, `nfs-${address}`];
    await host.run('sh', '-ec', unfinished, 'sh', ...names);
    await host.run(process.execPath, script, 'remove', address);
    const left = 'ls -d "$1" "/run/netns/$2" 2>/dev/null; grep -F "$1" /proc/self/mountinfo; :';
    t.is(await host.run('sh', '-c', left, 'sh', ...names), '');
  });
