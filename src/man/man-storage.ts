import type { ManSection } from './man-page.js';

/** For three in the morning: each trouble of the record by the code that --json prints, what it means, and the way on. */
export const storageTroubles: ManSection = {
  title: 'STORAGE TROUBLES',
  blocks: [
    {
      text:
        'Where the record cannot be used, a command says which file and why, ends with 1, and changes nothing: no address, mount, export or lock is touched by a takeover or release that ' +
        'could not open it. Clients keep their locks meanwhile, and the callout goes on recording, as it writes to its journal alone. `status` shows the other addresses all the same, and ends with 1. See ERRORS, RECORD_, for each trouble.',
    },
    {
      terms: [
        [
          'after a rebuild',
          'Who still served goes on, and `release` there works as ever. Any takeover needs --fenced, which is your word that no other node has the address up or its file systems mounted: look at each node (`ip addr`, `findmnt`). ' +
            'The next takeover notifies everybody whom a journal names, also who has left: such a client may not be notified (exit code 5). Nobody is notified before, since outside of a grace period that costs a client its lock. ' +
            'If the last takeover had not ended (B-3) when the record was lost, run `takeover --fenced` on that node again.',
        ],
        [
          'a journal that is too large',
          'takeover and `status` name it. What is new in a journal is read up to 512 MiB; of more, the first and the last half, and clients whose lines lie between are not known. rpc.statd\'s user can do that, and whoever reaches the directory as that user. See who it was; the next takeover on that node begins a new journal.',
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
