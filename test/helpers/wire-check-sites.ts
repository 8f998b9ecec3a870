import type { FailingSite } from './check-sites.js';

/** On a node with a network of its own, real programs, and image files for disks: test/wire/check.test.ts makes them. */
export interface WireSite extends FailingSite {
  /** Which sites are made together: each node takes time, and no two of a round hide each other. */
  readonly round: 1 | 2 | 3 | 4;
  /** A command for sh, run on the node before `check` is. */
  readonly make?: string;
  /** Another one, run on another host of its network. */
  readonly peer?: string;
}

/** An image as it is while it is mounted, or after a crash. */
const crashed = (image: string) =>
  `mkdir /run/m; mount ${image} /run/m; cp ${image} /run/c; umount /run/m; cp /run/c ${image}; rmdir /run/m; rm /run/c`;

/** A daemon that is stopped. Not the one that nsenter has started, which would stop too, and never end. */
const stopped = (daemon: string) => {
  const [name] = daemon.split(' ');
  return `kill "$(pidof ${name})"; while pidof ${name}; do sleep 0.05; done; ${daemon}; sleep 0.5; kill -STOP "$(pidof ${name})"`;
};

export const wireSites: readonly WireSite[] = [
  {
    check: 'programs',
    round: 1,
    what: 'no exportfs',
    make: 'mount --bind /dev/null "$(command -v exportfs)"',
    verdict: 'failure',
    says: /^exportfs is not installed/,
  },
  {
    check: 'programs',
    round: 2,
    what: 'no arping',
    make: 'mount --bind /dev/null "$(command -v arping)"',
    verdict: 'warning',
    says: /^arping is not installed.*neighbours are not told/,
  },
  {
    check: 'callout',
    round: 2,
    what: 'no rpc.statd',
    make: 'kill "$(pidof rpc.statd)"; while pidof rpc.statd; do sleep 0.05; done',
    verdict: 'failure',
    says: /no rpc\.statd runs/,
  },
  {
    check: 'callout',
    round: 1,
    what: "a callout that rpc.statd's user cannot reach",
    make: 'chmod 0700 /run/callout',
    verdict: 'failure',
    says: /\/run\/callout\/ha-callout cannot record as its user/,
  },
  {
    check: 'record',
    round: 1,
    what: 'a state volume without multiple mount protection',
    make: 'mke2fs -q -F -t ext4 -O ^mmp /run/state.img',
    verdict: 'warning',
    says: /state\.img of the record has no multiple mount protection/,
  },
  {
    check: 'record',
    round: 2,
    what: 'a state volume of 8 MB',
    make: 'rm /run/state.img; truncate -s 8M /run/state.img; mke2fs -q -F -t ext4 -O mmp /run/state.img',
    verdict: 'warning',
    says: /state\.img of the record has 8 MiB/,
  },
  {
    check: 'volumes',
    round: 1,
    what: 'a disk that is none',
    make: 'rm /run/vol.img; mkdir /run/vol.img',
    verdict: 'failure',
    says: /neither a block device nor an image file is there/,
  },
  {
    check: 'address',
    round: 1,
    what: 'somebody else who has the IPv4 address',
    peer: 'ip address add 10.10.1.1/24 dev veth0',
    verdict: 'failure',
    says: /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2} answers for 10\.10\.1\.1 on veth0, though .*state\.img is mounted nowhere/,
  },
  {
    check: 'address',
    round: 1,
    what: 'somebody else who has the IPv6 address',
    peer: 'ip address add fd00:10:10:1::1/64 dev veth0 nodad',
    verdict: 'failure',
    says: /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2} answers for fd00:10:10:1::1 on veth0/,
  },
  {
    check: 'address',
    round: 2,
    what: 'the node that has the address and its state volume',
    // INCOMPAT_RECOVER: mounted, or crashed.
    make: String.raw`printf '\306' | dd of=/run/state6.img bs=1 seek=1120 conv=notrunc status=none`,
    peer: 'ip address add fd00:10:10:1::1/64 dev veth0 nodad',
    verdict: 'ok',
    says: /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2} answers for fd00:10:10:1::1 on veth0: \/run\/state6\.img is mounted elsewhere/,
  },
  {
    check: 'callout',
    round: 3,
    what: 'an rpc.statd that is stopped',
    make: stopped('rpc.statd --no-notify -H /run/callout/ha-callout'),
    verdict: 'failure',
    says: /^rpc\.statd \(pid \d+\) is stopped/,
  },
  {
    check: 'volumes',
    round: 3,
    what: 'a volume that was not unmounted, while its state volume was',
    make: crashed('/run/vol.img'),
    verdict: 'failure',
    says: /^\/run\/vol\.img was not unmounted cleanly/,
  },
  {
    check: 'volumes',
    round: 3,
    what: 'a volume that this node has mounted in another place',
    make: 'mkdir /run/q; mount /run/vol6.img /run/q',
    verdict: 'failure',
    says: /^\/run\/vol6\.img is mounted on this node already, on \/run\/q, and not on/,
  },
  {
    check: 'address',
    round: 3,
    what: 'a state volume that was not unmounted, and nobody who has the address',
    make: crashed('/run/state6.img'),
    verdict: 'failure',
    says: /^nobody answers for fd00:10:10:1::1 on veth0, and \/run\/state6\.img .*: a takeover without --fenced refuses/,
  },
  {
    check: 'callout',
    round: 4,
    what: 'an rpcbind that is stopped',
    make: stopped('rpcbind'),
    verdict: 'failure',
    says: /^rpcbind of this node .* does not answer/,
  },
  {
    check: 'address',
    round: 4,
    what: 'no carrier',
    peer: 'ip link set veth0 down',
    verdict: 'failure',
    says: /^The network interface veth0 is up, and has no carrier/,
  },
];
