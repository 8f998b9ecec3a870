import type { ManSection } from '../man-page.js';

/** The commands for every day, each with what it printed. */
export const everyDay: ManSection = {
  title: 'EVERY DAY',
  blocks: [
    { heading: 'What was done' },
    {
      text:
        '`nlm-failover history` lists the operations that the record has, of every node, each with its steps. FORCED stands where takeover needed --fenced: with whose word, as far as the kernel ' +
        'knows it (the login uid of audit(8), which su and sudo do not change), and who had not released the address; a line `fencing:` where that node was proved to be down. LOST counts what the audit found: locks after a release, clients after a crash.',
    },
    {
      example: `# nlm-failover history 10.10.1.1 --last 2
2026-11-27T09:37:34.543Z  release 10.10.1.1 on A, epoch 1: done in 0.2 s
  A-1  floating IP down        68 ms  10.10.1.1 on eth0; 0 locks held
  A-2  unexport                28 ms  /mnt/vol1
  A-3  drop the locks        skipped  fsid 1234 (/mnt/vol1): unchanged
  A-4 follows
2026-11-27T09:37:35.626Z  takeover 10.10.1.1 on B, epoch 2: done in 2.3 s, 1 of 2 clients notified
  B-1  mount                   70 ms  /dev/state1 on /mnt/state1, /dev/vol1 on /mnt/vol1; epoch 2, after A
  B-2  grace                  117 ms  fsid 1234 (/mnt/vol1)
  B-5  export                  17 ms  /mnt/vol1
  B-4  floating IP up           3 ms  10.10.1.1 on eth0
  B-3  notify the clients    2055 ms  SM_NOTIFY from 10.10.1.1; 1 notified, 1 not notified`,
    },
    { heading: 'Metrics' },
    {
      text:
        '`nlm-failover metrics` prints gauges in the text format of Prometheus, which is OpenMetrics too; promtool(1) finds nothing to complain of. `systemctl enable --now nlm-failover-metrics.timer` has them written ' +
        "to /var/lib/prometheus/node-exporter/nlm-failover.prom every minute, where Debian's node_exporter reads them. " +
        'What is worth an alert: `nlm_failover_wrong` above 0, `nlm_failover_findings{verdict="lost"}` above 0, `nlm_failover_clients_not_notified` above 0, no node that serves an address (`max by (address) (nlm_failover_served_here) == 0`), two that do (`sum by (address) (nlm_failover_served_here) > 1`), ' +
        'and a file that grows old (node_textfile_mtime_seconds): a command that waits for a dead disk writes nothing. What cannot be known here has no line, as the clients of an address whose record moves along and is elsewhere. Where node_exporter reads another directory, a drop-in says so (`systemctl edit nlm-failover-metrics.service`):',
    },
    {
      example: `[Unit]
ConditionPathIsDirectory=
ConditionPathIsDirectory=/var/lib/node_exporter

[Service]
ExecStart=
ExecStart=/usr/sbin/nlm-failover metrics --output /var/lib/node_exporter/nlm-failover.prom`,
    },
    {
      example: `# nlm-failover metrics | grep '"10.10.1.1"' | head -8
nlm_failover_status_read{address="10.10.1.1"} 1
nlm_failover_served_here{address="10.10.1.1"} 1
nlm_failover_wrong{address="10.10.1.1"} 0
nlm_failover_record_readable{address="10.10.1.1"} 1
nlm_failover_owner_here{address="10.10.1.1"} 1
nlm_failover_epoch{address="10.10.1.1"} 2
nlm_failover_clients{address="10.10.1.1"} 2
nlm_failover_clients_not_notified{address="10.10.1.1"} 1`,
    },
    { heading: 'Completion' },
    {
      text:
        '`nlm-failover completion bash` prints what bash needs to complete commands, options, their values, steps (lists of them too) and addresses. It is made from the definitions of the commands, and starts no program: ' +
        'the addresses are read from the file that --config names, else from that of NLM_FAILOVER_CONFIG, else from the usual one.',
    },
    {
      example: `# eval "$(nlm-failover completion bash)"
# nlm-failover takeover --steps B-1,B-<TAB><TAB>
B-1,B-2  B-1,B-3  B-1,B-4  B-1,B-5`,
    },
    { heading: 'Without nlm-failover' },
    {
      text:
        '`nlm-failover sm-directory` writes who is recorded as sm-notify(8) reads it: DIRECTORY/sm/CLIENT, sm.bak and `state`. Run sm-notify in the grace period of the lock manager that takes the locks, with the address up and exported: ' +
        'a client that is notified outside of one reclaims in vain, and loses its locks. NAME of `-v NAME` must resolve to the floating IP, and that back to a name; sm-notify then sends from it, and names that name and its short form. ' +
        'Clients that mounted by another name than these, or the address, do not believe it. Without -v it sends from any address, and names the floating IP as text. Never begin it with an empty directory: ' +
        'with nobody to notify it ends the grace period, unless `lift-grace=n` stands in nfs.conf(5).\n\n' +
        'The NSM state that it will send is used up: it is in the record, and no takeover gives it again. Nothing else in the record changes: the next takeover notifies these clients too. With -n sm-notify would send the state below it, which may have been used: leave that out.',
    },
    {
      example: `# nlm-failover sm-directory 10.10.1.1 /run/sm1
sm-directory 10.10.1.1: 3 clients in /run/sm1, NSM state 1764237139
  While lockd is in grace, and 10.10.1.1 is up, on the node that takes it: sm-notify -d -v nfs1.example.com -P /run/sm1`,
    },
  ],
};
