import type { ManSection } from '../man-page.js';

/** For three in the morning: each trouble of the record by the code that --json prints, what it means, and the way on. */
export const storageTroubles: ManSection = {
  title: 'STORAGE TROUBLES',
  blocks: [
    {
      text:
        'Where the record cannot be used, a command says which file and why, and ends with 1. A takeover or release that ' +
        'could not open it has touched no address, export, lock, or other mount than that of the state volume, which B-1 mounts to read it and leaves mounted for `rebuild`. Clients keep their locks meanwhile. The callout goes on recording, since it writes to its journal alone. `status` shows the other addresses all the same, and ends with 1. ' +
        'What to do in each case is in ERRORS, at the codes that begin with RECORD_.',
    },
    {
      terms: [
        [
          'after a rebuild',
          'The node that serves the address goes on, and `release` there works as ever. Any takeover needs --fenced: your word that no other node has the address up or its file systems mounted. Look at each node (`ip addr`, `findmnt`). ' +
            'The next takeover notifies every client that a journal names, also those that have left: these may not answer (exit code 5). Nobody is notified before, since outside of a grace period that costs a client its lock. ' +
            'If the last takeover had not ended (B-3) when the record was lost, run `takeover --fenced` on that node again.',
        ],
        [
          'a journal that is too large',
          'takeover and `status` name it. Up to 512 MiB of what is new in a journal are read; of more, the first and the last 256 MiB, and clients whose lines lie between are not known. Only the user of rpc.statd, and whoever reaches the directory as that user, can make a journal so large: find out who did. The next takeover on that node begins a new journal.',
        ],
        [
          'all of it is gone',
          'There is neither a database nor a journal. Restore sm_ADDRESS from a backup, then takeover --fenced. Without a backup the first takeover makes a new record, and notifies those alone whom the rpc.statd of that node monitors: ' +
            'have the other clients unmount and mount, or reboot, before they use their locks again.',
        ],
      ],
    },
  ],
};
