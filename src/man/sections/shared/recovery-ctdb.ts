import { findFloatingIp } from '../../../config/floating-ip.js';
import { parseConfig } from '../../../config/parse-config.js';
import { usualTimeouts } from '../../../ctdb/limits.js';
import { notifyByHand } from '../../../failover/steps/notify-by-hand.js';
import { drivers } from '../../../lockmanager/drivers.js';
import { ownScripts, scriptFile } from '../../../site/ctdb/scripts.js';
import type { ManSection } from '../../man-page.js';
import { ctdbExample } from './ctdb.js';

const address = '10.10.1.1';
const table = 'inet by_hand';
const [event, monitor] = [scriptFile(ownScripts[0]), scriptFile(ownScripts[1])];

/** The four questions again, where CTDB answers most of them. */
export const recoveryCtdb: ManSection = {
  title: 'WHERE CTDB MOVES THE ADDRESSES',
  blocks: [
    {
      text: 'The first address of the example of CTDB in nlm-failover(8), on the nodes a, b and c. No volume moves, and there is no takeover and no release: of what is above hold THE RECORD IS LOST OR CORRUPT and LOCKS THAT ARE LOST, with /shared/state for /srv/state1, and `nlm-failover join-grace --all` where they say to take over. Which node is right, on each node that answers:',
    },
    {
      example:
        'ctdb status                                # OK, or what each node is: DISCONNECTED is not dead\n' +
        'ctdb ip all                                # the number of the node that is to have each address\n' +
        `ip -br address show to ${address}           # is it here? That of "ctdb ip all" is right\n` +
        'nlm-failover ctdb monitor                  # the phase in which this node is, and what is wrong; nothing: all is well\n' +
        'nlm-failover status                        # the same for each address, with its record\n' +
        'grep . /shared/state/ctdb/node.*           # what each node says of itself: generation and phase\n' +
        'nft list table inet nlm_failover_ctdb      # what is refused here, and for how long; without nft: iptables -S nlm_failover_ctdb_in\n' +
        'rpcinfo -p                                 # nlockmgr: the lock manager runs\n' +
        'journalctl -u nlm-failover-ctdb.service    # what was done; without systemd: /run/nlm-failover/ctdb/log',
    },
    {
      terms: [
        [
          'The process does not run, or stands still',
          'on the node that says so: `systemctl restart nlm-failover-ctdb.service`. It goes on where the other stopped; a lock manager that was stopped it starts, with the others. It stands still for the storage of the record (`ls /shared/state/ctdb`): mend that first.',
        ],
        [
          'Two nodes have an address',
          '`ctdb ip all` says whose it is. On the other one ctdbd is dead, or cut off: start it (`systemctl start ctdb`), or take the address down there (`ip address del 10.10.1.1/24 dev eth0`), or fence that node. Where `ctdb status` of the two disagree on who is there, they are cut off from each other: mend the network, or fence one.',
        ],
        [
          'A node does not answer',
          'CTDB has moved its addresses whether it is dead or not. Have the others refuse, then fence it, both lines on a node that lives; without a fence device switch it off. Under Pacemaker the level of CTDB in nlm-failover(8) does the first one by itself.',
        ],
      ],
    },
    {
      example:
        'nlm-failover join-grace --all --dead c     # 0: all others refuse, or are in grace; NOT REFUSING names who does not\n' +
        'stonith_admin --fence c                    # or however this site switches a node off; not before the line above has ended',
    },
    {
      text: 'Clients hang, or do not have their locks back, and all nodes are OK: all lock managers once more, in their three phases. Every client is notified and reclaims; nobody loses a lock that nobody else got. On one node:',
    },
    {
      example:
        'nlm-failover join-grace --all\n' +
        'nlm-failover status                        # when the grace is over: CTDB\'s "ctdb status" should say OK again, too\n' +
        `nlm-failover notify ${address}              # on the node that has it, while the grace runs: for those NOT NOTIFIED`,
    },
    {
      text: `Nothing comes through on a node that has started: what is refused ends by itself, ${usualTimeouts.refuse} s after its process was killed. Take the table away by hand only where the process does not run, and the lock manager was started since; the same with \`ip6tables\` and \`iptables\`, where these refuse:`,
    },
    { example: 'nft delete table inet nlm_failover_ctdb' },
  ],
};

/** The three phases, typed. */
export function byHandCtdb(): ManSection {
  const config = parseConfig(ctdbExample, { file: 'example', hostname: 'a', drivers });
  const ip = findFloatingIp(config, address);
  const ports = `rpcinfo | awk '$1 == 100021 { n = split($4, a, "."); print substr($3, 1, 3), a[n-1] * 256 + a[n] }' | sort -u`;
  return {
    title: 'BY HAND WITH CTDB',
    blocks: [
      {
        text:
          'When addresses have moved, or a node has died, and `nlm-failover ctdb serve` does not do it. `Every` node that is not dead does a part, and none begins the next one before `all` have done the one before: else a rival gets what the first one lets go. ' +
          '"onnode -p all" types a line on every node. From the first start on all must be over within the grace (/proc/sys/fs/nfs/nlm_grace_period, 50 here): have the lines ready. A node that is not dead, and that nobody can reach, is fenced first.\n\n' +
          'Where nlm-failover works again: the links back, as the last part has it, and on one node `nlm-failover join-grace --all`, which does all of it once more. Until then nobody is recorded.',
      },
      { heading: 'on every node: let nobody else do it, and refuse NLM' },
      {
        example: [
          `mv ${event} ${event}~   # else the next event starts the process`,
          `mv ${monitor} ${monitor}~   # else its monitor has CTDB take the addresses off this node`,
          'systemctl stop nlm-failover-ctdb.service   # it starts first what it has stopped',
          `nft add table ${table}`,
          `nft 'add chain ${table} in { type filter hook input priority -10; }'`,
          `nft 'add chain ${table} out { type filter hook output priority -10; }'`,
          `${ports} | while read -r protocol port; do nft add rule ${table} in iifname != lo "$protocol" dport "$port" drop; done`,
          `nft 'add rule ${table} out oifname != lo ip saddr ${address} meta l4proto { tcp, udp } th sport 512-1023 drop'   # for each address here; of IPv6: ip6 saddr`,
          `nft list table ${table}   # each port of nlockmgr in "rpcinfo" stands there`,
        ].join('\n'),
      },
      { heading: 'on every node, when all refuse: stop the lock manager' },
      {
        example: [
          'rm -f /run/nlm-failover/serving/*   # as lockd ends it has rpc.statd forget the clients: they stay in the record',
          'echo 0 > /proc/fs/nfsd/threads',
          'while rpcinfo -p | grep -q 100021; do sleep 1; done',
          'cat /proc/locks   # no POSIX lock of lockd is left on /srv/vol',
        ].join('\n'),
      },
      { heading: 'on every node, when all have stopped: start it, and let everything through' },
      {
        example: [
          'rpc.nfsd 16   # restart of [lock_manager]',
          'until rpcinfo -p | grep -q 100021; do sleep 1; done',
          `nft delete table ${table}`,
        ].join('\n'),
      },
      { heading: 'for each address, at once, on the node that has it: notify its clients' },
      { example: notifyByHand(ip, []).join('\n') },
      { heading: 'on every node, when nlm-failover works again' },
      {
        example: [
          `mv ${event}~ ${event}`,
          `mv ${monitor}~ ${monitor}`,
          'systemctl start nlm-failover-ctdb.service',
        ].join('\n'),
      },
    ],
  };
}
