import type { ManSection } from './man-page.js';

/** For three in the morning: each trouble of the record by the code that --json prints, what it means, and the way on. */
export const storageTroubles: ManSection = {
  title: 'STORAGE TROUBLES',
  blocks: [
    {
      text:
        'Where the record cannot be used, a command says which file and why, ends with 1, and changes nothing: no address, mount, export or lock is touched by a takeover or release that ' +
        'could not open it. Clients keep their locks meanwhile, and the callout goes on recording, as it writes to its journal alone. `status` shows the other addresses all the same, and ends with 1. With --json ' +
        'the code is in `error`, for status in `recordError`.',
    },
    {
      terms: [
        [
          'RECORD_CORRUPT, RECORD_MISSING',
          'monitors.db is damaged; or it is missing or empty while there are journals beside it. Look for the cause first (dmesg, the disk). Then `nlm-failover rebuild ADDRESS`, on any node that reaches the record, ' +
            'also while the address is served. The old file stays beside it as monitors.db.TIME.',
        ],
        [
          'after a rebuild',
          'Who still served goes on, and `release` there works as ever. Any takeover needs --fenced, which is your word that no other node has the address up or its file systems mounted: look at each node (`ip addr`, `findmnt`). ' +
            'The next takeover notifies everybody whom a journal names, also who has left: such a client may not be notified (exit code 5). Nobody is notified before, since outside of a grace period that costs a client its lock. ' +
            'If the last takeover had not ended (B-3) when the record was lost, run `takeover --fenced` on that node again.',
        ],
        [
          'RECORD_NEWER',
          'A newer nlm-failover wrote it. Install that version here. rebuild --force makes one of this version from the journals, and then the other nodes must run this version too.',
        ],
        [
          'RECORD_BUSY',
          'Another process has kept the database locked for 15 seconds ([timeouts].record). `fuser -v STATE/sm_ADDRESS/monitors.db` on every node that sees it; end that process, or wait for it. One that is stopped (ps: state T), or whose node hangs in the middle of a write, holds it too: fence that node. The lock ends with the process, kill -9 included; it is never to be broken by removing files.',
        ],
        [
          'RECORD_FULL',
          'No space, or no quota. Free some and run the same command again. Meanwhile the callout cannot record: `status` shows what it could not write, and the next takeover on this node adopts whom rpc.statd monitors.',
        ],
        [
          'a journal that is too large',
          'takeover and `status` name it. What is new in a journal is read up to 512 MiB; of more, the first and the last half, and clients whose lines lie between are not known. rpc.statd\'s user can do that, and whoever reaches the directory as that user. See who it was; the next takeover on that node begins a new journal.',
        ],
        [
          'RECORD_UNUSABLE',
          'It cannot be read or written: read-only, an error of the disk, no permission. `findmnt -T STATE`, dmesg. A file system that went read-only by an error wants fsck, so release the address if you can, else fence the node. ' +
            'Where only monitors.db cannot be read: rebuild --force.',
        ],
        [
          'RECORD_UNREACHABLE',
          'The volume, or the shared storage, is not mounted here, or the state directory does not exist. Mount it. Never make the directory below a mount point that is not mounted: the address would look like one that nobody owns. ' +
            'For that reason keep `[state] directory` below the mount point, and not at it, where /etc/fstab does not list it.',
        ],
        [
          'RECORD_UNSAFE',
          'The named file or directory belongs to somebody else, is writable by others, or is or lies behind a symbolic link that another user can turn: somebody else could decide who is notified. Find out who made it and why (`namei -l`), ' +
            'compare the journals with a backup, then give it back to root: chown root, chmod go-w, or replace the link by what it points to.',
        ],
        [
          'RECORD_REPLACED',
          'Another database was put in the place of the one that this command had open: a rebuild, or a backup that was restored. See `status`; run the same command again.',
        ],
        [
          'RECORD_SOUND, NO_JOURNALS',
          'rebuild refused: the database is sound, or there is nothing to make one from. Its hint says what --force would do.',
        ],
        [
          'all of it is gone',
          'Neither database nor journals: restore sm_ADDRESS from a backup, then takeover --fenced. Without a backup the first takeover makes a new record and notifies whom the rpc.statd of that node monitors, and nobody else: ' +
            'have the other clients unmount and mount, or reboot, before they use their locks again.',
        ],
      ],
    },
  ],
};
