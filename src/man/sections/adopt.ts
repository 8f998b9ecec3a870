import type { ManSection } from '../man-page.js';

/** ADOPT of nlm-failover(8): from stock services to the first failover. The output is the lab's (test/lab/recovery.test.ts). */
export const adoptSection: ManSection = {
  title: 'ADOPT',
  blocks: [
    {
      text: 'An address that is served now, by /etc/exports and the configuration of the system, with clients that hold locks. On the node that serves it:',
    },
    {
      terms: [
        ['1.', '`nlm-failover init ADDRESS > /etc/nlm-failover.toml`, on this node, which exports it.'],
        ['2.', 'Edit what says GUESSED and WRITE HERE; copy the file to every node.'],
        [
          '3.',
          '`nlm-failover setup`, on every node; on one of them with --state-device, where there is no state volume yet.',
        ],
        ['4.', '`nlm-failover check`. What stands under "others" is for step 6.'],
        [
          '5.',
          '`nlm-failover adopt ADDRESS`. No client waits, and the first failover finds everybody who has taken a lock before.',
        ],
        [
          '6.',
          'Take what serves the address now out of /etc/fstab, /etc/exports and the configuration of the network: the lines of the files alone. Run no `exportfs -r` and no reload of nfs-server while the address is served: it takes exports away that stand in no file, and the clients with them.',
        ],
        [
          '7.',
          '`systemctl start nlm-failover@ADDRESS.service`, where systemd is used: it changes nothing now, and a shutdown releases the address. The same after each takeover by hand.',
        ],
      ],
    },
    {
      text: 'Step 5:',
    },
    {
      example:
        'A# nlm-failover adopt 10.10.1.1\n' +
        'adopt 10.10.1.1 on A, lock manager lockd (auto: not nlm-fsid: ...; not lockd-netns: 10.10.1.1 is up on eth0)\n' +
        '  B-1  record                 737 ms  /srv/state1/sm_10.10.1.1; new record in /srv/state1/sm_10.10.1.1, epoch 1\n' +
        '  B-2  recording             1503 ms  fsid 1234 (/srv/vol1); 2 clients recorded, whichever address of this node they use: rpc.statd does not say; 1 lock held\n' +
        '  B-3  notify nobody           12 ms  no lock was dropped\n' +
        'adopt 10.10.1.1: done in 3.9 s',
    },
    {
      text:
        'The fsid of the configuration must be what the file handles of the clients hold: that of fsid= in etab; or, where there is none, the UUID of the file system, which adopt names (ext2, ext3, ext4, xfs). ' +
        'Where options or clients of an export are otherwise, `takeover` after adopt exports as the configuration says; no client notices, but for what it may do.\n\n' +
        'Whom rpc.statd monitors is recorded, also those who use another address of the node: notified in vain is harmless. It has everybody who took a lock since it began its list. A list that was lost since, as by an sm-notify ' +
        'that was run by hand, leaves holders out: adopt says so where locks are held and it monitors nobody, or somebody is connected whom it does not know. `--client` records them.\n\n' +
        'An instance of lockd-netns that was made by hand (nlm-failover-recovery(7)) is adopted too. Locks that the node itself holds cannot move into an instance; but the first failover can, with `driver = "auto"`.',
    },
  ],
};
