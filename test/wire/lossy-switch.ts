// A switch in user space that loses, delays, duplicates and reorders frames, as `tc netem` does on kernels that have
// sch_netem, which many, this project's own CI among them, have not. Every port is a real network interface (tap(4)) of a
// host's namespace, so that ARP and everything above it takes the same way. Beside netem, it can promise that bad luck ends:
// no more than so many packets of a flow are lost one after the other, which makes it certain that somebody is reached.
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Netns, type Owner, withNetns } from '../helpers/netns.js';

export interface Weather {
  /** Of the random numbers: the same seed is the same weather, as far as the frames come in the same order. */
  readonly seed: number;
  /** Parts of all frames, 0 to 1. */
  readonly loss: number;
  readonly duplicate: number;
  /** Of those that are not delayed, and so overtake others. */
  readonly reorder: number;
  /** Each other frame is delayed by this, plus up to `jitterMs`. */
  readonly delayMs: number;
  readonly jitterMs: number;
  /** The most frames of one flow (sender, receiver, port) that are lost in a row. */
  readonly lostInARow: number;
}

/** Frames, each counted once for every port that it was to leave by. */
export interface Traffic {
  readonly frames: number;
  readonly lost: number;
  readonly duplicated: number;
  /** Left a port after one that had come in later. */
  readonly overtaken: number;
}

export interface LossySwitch {
  traffic(): Promise<Traffic>;
  /** From now on nothing is lost, delayed, doubled or overtaken. */
  clearUp(): void;
}

/**
 * Opens a tap for each port (TUNSETIFF 0x400454ca, IFF_TAP | IFF_NO_PI 0x1002: linux/if_tun.h) and becomes node, which
 * has the descriptors from 3 on but no ioctl(2). perl-base is Essential in Debian.
 */
const openTaps = `
use Fcntl;
my $ports = shift;
my @taps;
for my $port (0 .. $ports - 1) {
  open(my $tap, '+<', '/dev/net/tun') or die "/dev/net/tun: $!";
  ioctl($tap, 0x400454ca, pack('a16 S x22', "tap$port", 0x1002)) or die "TUNSETIFF: $!";
  fileno($tap) == 3 + $port or die "descriptor " . fileno($tap);
  fcntl($tap, F_SETFD, 0);
  push @taps, $tap;
}
exec @ARGV or die "$ARGV[0]: $!";
`;

/** Joins the hosts, each by an interface `eth0`, up, in the order of its ports. Gone when the test is over. */
export async function joinLossily(t: Owner, hosts: readonly Netns[], weather: Weather): Promise<LossySwitch> {
  const place = await withNetns(t);
  const inside = join(import.meta.dirname, 'lossy-switch-inside.js');
  const ports = String(hosts.length);
  const node = [process.execPath, inside, ports, JSON.stringify(weather)];
  // One thread of libuv's pool waits at each port.
  const program = place.start('perl', ['-e', openTaps, ports, ...node], {
    UV_THREADPOOL_SIZE: String(hosts.length + 4),
  });
  await program.saw(/^switching$/m);
  for (const [port, host] of hosts.entries()) {
    // Another namespace is named by a pid, which only the test's own process namespace knows.
    const move = ['link', 'set', `tap${port}`, 'netns', String(host.pid), 'name', 'eth0'];
    await ip(place, move);
    await host.run('ip', 'link', 'set', 'eth0', 'addrgenmode', 'none', 'up');
  }
  let asked = 0;
  return {
    traffic: async () => {
      asked += 1;
      program.write('traffic');
      const [, json = ''] = await program.saw(new RegExp(`^traffic ${asked} (.*)\\n`, 'm'));
      return JSON.parse(json) as Traffic;
    },
    clearUp: () =>
      program.write(JSON.stringify({ ...weather, loss: 0, duplicate: 0, reorder: 1 } satisfies Weather)),
  };
}

async function ip(netns: Netns, args: readonly string[]): Promise<void> {
  const child = spawn('nsenter', [`--target=${netns.pid}`, '--net', '--', 'ip', ...args], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`ip ${args.join(' ')} ended with ${code}`);
}
