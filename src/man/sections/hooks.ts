import type { ManSection } from '../man-page.js';

/** What the programs of [hooks] are told, and what becomes of them. */
export const hooks: ManSection = {
  title: 'HOOKS',
  blocks: [
    {
      text:
        'A hook runs when its operation is over: it is in the record, and another operation of the address may begin. A takeover that waits for the reclaims has waited. ' +
        'Of one command at most two are run, one after the other: `on_done` or `on_failed`, then `on_lost`. None is run where nothing was begun: with --dry-run, where the command line or the configuration is wrong, ' +
        'or where no lock manager driver suits; nor where nlm-failover itself is killed.\n\n' +
        'A hook is run as root, without a shell, in the directory /, with LC_ALL and PATH alone in its environment. It and every directory and symbolic link that leads to it must belong to root, and nobody else may write to them: ' +
        'else it is not run. What it prints is not shown, but the beginning of that where it fails. It has `deadline` seconds; then its process group is ended, with SIGTERM, and SIGKILL a second later. What it leaves behind when it ends in time is left alone.\n\n' +
        'Whatever a hook does, the exit code and the output of the command are as they are without it. What is wrong with it is a line on standard error, and in the log.',
    },
    { heading: 'The event' },
    { text: 'On its standard input it gets one JSON object, in one line:' },
    {
      example:
        '{"event":"done","time":"2026-11-27T10:08:50.097Z","node":"B","address":"10.10.1.1","operation":"takeover",\n' +
        ' "driver":"lockd","epoch":2,"seconds":2.099,"result":"not-notified","clients":{"notified":1,"notNotified":1},\n' +
        ' "notNotified":[{"client":"10.10.1.22","reason":"rpcbind does not answer","address":"10.10.1.1"}]}',
    },
    {
      text: 'Later versions may add fields. None of these is taken away, or comes to mean something else:',
    },
    {
      terms: [
        ['event', 'done, failed or lost: which hook it is.'],
        ['time', 'When it was over, ISO 8601 in UTC; `seconds`: how long it took.'],
        ['node, address, driver', 'Which node did it, for which address, with which lock manager driver.'],
        ['operation', 'release, takeover, notify; of lost also audit.'],
        [
          'epoch',
          "The address's epoch, or null where the record was not reached, as by a release that found nothing to do.",
        ],
        [
          'result',
          'done; not-notified: done, and some clients were not notified (exit code 5); incomplete: not everything could be done; failed; lost (exit code 6).',
        ],
        [
          'clients, notNotified, undone, remarks',
          'As --json has them, see nlm-failover(8); of `notNotified` the first hundred. Not in every event.',
        ],
        ['error', 'Of failed: `code`, `operation`, `message` and `hint`, which may be null.'],
        [
          'lost, lostCount',
          'Of lost: the first hundred of the losses, as the findings of `audit --json`, and how many there are.',
        ],
      ],
    },
    { heading: 'An example' },
    {
      text: 'A hook that writes to the system log, /usr/local/sbin/nlm-log, mode 0755, and its keys:',
    },
    {
      example: `#!/bin/sh
exec logger --size 64KiB -t nlm-failover -p "daemon.$1"

[hooks]
on_done = ["/usr/local/sbin/nlm-log", "notice"]
on_failed = ["/usr/local/sbin/nlm-log", "err"]
on_lost = ["/usr/local/sbin/nlm-log", "crit"]`,
    },
  ],
};
