import { isIP } from 'node:net';
import type { FloatingIp } from '../../config/config.js';
import { counted } from '../../counted.js';
import { listed } from '../../failover/access/unrecorded.js';
import type { FailoverContext } from '../../failover/context.js';
import { heldLocks } from '../../failover/reclaim/held-locks.js';
import type { Action, Obstacle } from '../../host/action.js';
import type { Host } from '../../host/host.js';
import { isClientName } from '../../names.js';
import { NameLookup } from '../../nsm/notify/name-lookup.js';

/** How long the name service is asked for all of them, ms. */
const lookupMs = 5_000;

/** adopt: whom nobody can know, or reach, is said. rpc.statd has who took a lock; that is all there is. */
export function sayUnknown(ip: FloatingIp, named: readonly string[]): Action<FailoverContext> {
  return {
    commands: [],
    repeats: true,
    look: async (context, { asksNames }) => {
      const statd = await context.driver.monitored();
      const known = new Set([...(statd?.hosts ?? []), ...named]);
      return [
        ...(statd?.unread === undefined ? [] : [{ message: statd.unread, isNote: true }]),
        ...(await holdersUnknown(context, ip, known)),
        ...(asksNames ? await unresolvedSaid(context, [...known]) : []),
      ];
    },
    check: () => true,
    act: async () => undefined,
    verify: () => undefined,
  };
}

/**
 * /proc/locks does not say whose a lock is. lockd gives none to a client before rpc.statd has it on its list (Linux fs/lockd/svclock.c,
 * svc4proc.c, nsm_monitor), and asks no second time: only a list that was lost since leaves holders out, as by an sm-notify that was run by hand.
 */
async function holdersUnknown(
  context: FailoverContext,
  ip: FloatingIp,
  known: ReadonlySet<string>,
): Promise<Obstacle[]> {
  const held = (await heldLocks(context, ip))?.length;
  if (held === undefined) {
    const message = `Whether locks are held cannot be seen: /proc/locks does not show those of lockd`;
    return [{ message, isNote: true }];
  }
  if (held === 0) return [];
  const strangers = (await connected(context.driver.host, ip)).filter((peer) => !known.has(peer));
  if (known.size > 0 && strangers.length === 0) return [];
  const locks = `${counted(held, 'lock')} ${held === 1 ? 'is' : 'are'} held here`;
  const who =
    strangers.length === 0 ? '' : `; connected through ${ip.address} and unknown to it: ${listed(strangers)}`;
  const message =
    known.size === 0
      ? `${locks}, and rpc.statd monitors nobody${who}`
      : `${locks}, and rpc.statd monitors ${known.size}${who}`;
  return [
    {
      message,
      hint: 'Of those that may hold one, name each with --client: else no failover notifies it, and its locks are lost.',
      isNote: true,
    },
  ];
}

/** The peers of nfsd's TCP connections through the address, each once. */
async function connected(host: Host, ip: FloatingIp): Promise<string[]> {
  const source = ip.family === 6 ? `[${ip.address}]` : ip.address;
  const { stdout } = await host.run([
    'ss',
    '-Htn',
    'state',
    'established',
    'src',
    source,
    'sport',
    '=',
    ':2049',
  ]);
  const peers = stdout.split('\n').flatMap((line) => {
    const [, peer] = /\s\[?([^\s\]]+)\]?:\d+\s*$/.exec(line) ?? [];
    return peer === undefined || isIP(peer.replace(/%.*$/, '')) === 0 ? [] : [peer];
  });
  return [...new Set(peers)].toSorted();
}

async function unresolvedSaid(
  { host, floatingIp }: FailoverContext,
  names: readonly string[],
): Promise<Obstacle[]> {
  if (host.kind === 'rehearsal') return [];
  const missing = await unresolved(names, floatingIp.family, lookupMs);
  return missing.length === 0
    ? []
    : [
        {
          message: `rpc.statd monitors names that do not resolve to an IPv${floatingIp.family} address, or not within ${lookupMs / 1000} s, and could not be notified: ${listed(missing)}`,
          hint: 'See "getent ahosts", /etc/hosts and DNS, on every node.',
          isNote: true,
        },
      ];
}

/** Those of the names that nobody could notify: the name service has no address of that family for them, or does not answer for `ms`. */
export async function unresolved(
  names: readonly string[],
  family: 4 | 6,
  ms: number,
  lookups = new NameLookup(),
): Promise<string[]> {
  const wanted = names.filter((name) => isIP(name) === 0 && isClientName(name));
  const timer = setTimeout(() => lookups.stop(), ms);
  try {
    const found = await Promise.all(wanted.map(async (name) => lookups.find(name, family)));
    return wanted.filter((_, at) => found[at] === undefined);
  } finally {
    clearTimeout(timer);
  }
}
