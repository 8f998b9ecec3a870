import type { ManSection } from '../man-page.js';

/** The unit of an address, and what a node needs before. */
export const systemd: ManSection = {
  title: 'SYSTEMD',
  blocks: [
    {
      text: '`nlm-failover setup`, once on each node, prints a line for everything that it saw to:',
    },
    {
      example: `# nlm-failover setup --state-device /dev/vg0/state1
setup on A
  callout       unchanged  /usr/lib/nlm-failover/callouts/ha-callout, which the user of rpc.statd (uid 103) can run
  nfs.conf      done       /etc/nfs.conf.d/nlm-failover.conf: ha-callout=/usr/lib/nlm-failover/callouts/ha-callout, lift-grace=n
  rpc.statd     done       restarted, as it read nfs.conf before this; 2 hosts monitored, as before
  mount points  done       /srv/state1, /srv/vol1
  state volume  done       ext4 on /dev/dm-3, for the record of 10.10.1.1
  unit file     unchanged  /usr/lib/systemd/system/nlm-failover@.service
  unit          done       nlm-failover@10.10.1.1.service is enabled
setup on A: done`,
    },
    {
      text:
        'Of a device for a state volume it wants proof that nothing is on it: no mount, no holder, no partition, no signature that blkid(8) or wipefs(8) knows, nobody who has it open, and not one byte that is not zero. Else it is refused, and the ' +
        'command is printed for you. On the other nodes the file system is there then, and setup leaves it alone.\n\n' +
        'rpc.statd is restarted only where it runs another callout, or read nfs.conf before the drop-in was there. It keeps whom it monitors (/var/lib/nfs/sm), and lockd goes on; a client that asks for its first lock in that moment asks again. ' +
        'With the driver lockd-netns alone neither is needed: an instance has an nfs.conf of its own. nfs-utils before 2.5.3 reads no nfs.conf.d; there setup prints the lines for /etc/nfs.conf.\n\n' +
        'What it has made stands in /var/lib/nlm-failover/setup.json; `setup --undo` takes back that alone, a file only while it is as setup wrote it; with an address, what no other one needs: its unit, --alone, its mount points. A file system that it made is never taken back. Where others than root could change those files, or a directory on the way, it refuses.',
    },
    { heading: 'The unit of an address' },
    {
      text:
        '`nlm-failover@10.10.1.1.service` takes the address over when it starts and releases it when it stops; an IPv6 address is written as it is, nlm-failover@fd00::1.service. It starts after the network, the local file systems, rpcbind, rpc-statd and nfs-server, and stops before them. ' +
        'So a clean reboot is a release and a takeover: the clients are notified, and keep their locks. Without it a Linux server of 6.4 or newer loses them: as lockd stops it has rpc.statd forget every client, and nobody is notified after the boot (seen on 6.12; on 6.1 those that hold a lock are kept).\n\n' +
        'It is `active` while the takeover has ended well, and stays so. Started by hand where the address is served here already, it changes nothing; start it after a takeover by hand, so that the shutdown releases the address too. ' +
        'Where another node has the address the start fails with the sentence of takeover, and is not tried again.\n\n' +
        'Whether the address is served then decides, and no exit code: with 5 and 6, and with 1 where a client was left out (NOT DONE), the unit is active, so that the shutdown releases the address. `systemctl status` shows the code, and below it the lines of `nlm-failover status`, in which WRONG names locks that are lost; `journalctl -u` has all of it.\n\n' +
        'A stop while the takeover still waits for reclaims, and a shutdown at any time of the start, release too. After a start that failed, and serves nothing, nothing is released: see what it says, then start it again.',
    },
    { heading: 'Which nodes' },
    {
      text:
        'Enabled on several nodes, whichever boots first takes an address that was released. Give the state volume multiple mount protection then (setup does): two nodes that boot in one moment cannot both mount it. ' +
        'Where a cluster manager decides, `setup --no-enable`. An address with managed_by_others is never enabled. With the driver lockd or nlm-fsid, where several addresses start at one boot, setup has each wait for those before it in the configuration.\n\n' +
        'After a crash takeover asks for --fenced, as another node may have the volumes. Where there is no other node, `setup ADDRESS --alone` gives the unit of that address --fenced, in a drop-in: never where a second node reaches the same devices. It stays, and each setup says so, until `setup ADDRESS --undo`.',
    },
  ],
};
