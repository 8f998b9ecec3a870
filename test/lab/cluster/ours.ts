import type { Cluster } from './cluster.js';
import type { Lab } from '../lab.js';
import { type Preparation, prepareServer } from '../scenario-steps.js';
import type { Server } from '../server.js';
import { prepareVolumes, recordOf, type SiteIp } from '../site.js';

/** What the resource of an address is called, the one or the group. */
export function resourceOf({ address }: SiteIp): string {
  return `nfs-${address.replaceAll(':', '-')}`;
}

/**
 * Both servers know the addresses, the cluster manager runs on both, and has their resources; all of them start on A. `watched`: whether something
 * is to fail, and to be seen by the monitors of depth 0.
 */
export async function startAddressesOnA(
  lab: Lab,
  cluster: Cluster,
  ips: readonly SiteIp[],
  { watched = false, ...preparation }: Preparation & { readonly watched?: boolean },
): Promise<void> {
  const { a, b, c } = lab;
  for (const name of ['holder', 'rival'] as const) void c.client(name).setUp();
  await prepareVolumes(lab, a, ips);
  const prepare = async (server: Server) => {
    // First: this may move the server's address to a bridge, and a corosync that starts meanwhile does not find its own.
    await prepareServer(lab, server, ips, { failback: true, ...preparation });
    await cluster.startOn(server);
  };
  await Promise.all([prepare(a), prepare(b)]);
  await applyPacemaker(a, ips);
  await lookLessOften(a, watched);
  // The first start waits for the end of its grace too; a group of seven agents took a guest five minutes on a machine with a load of 18.
  await cluster.untilQuiet(a, 900);
  // So that locks are to be had at once.
  await Promise.all(ips.map(({ address }) => a.endGrace(address)));
}

/** Has the command configure the cluster from /etc/nlm-failover.toml. */
export async function applyPacemaker(server: Server, ips: readonly SiteIp[]): Promise<void> {
  const addresses = ips.map(({ address }) => address);
  await server.run([server.tool, 'pacemaker', ...addresses, '--format', 'xml', '--apply'], {
    timeoutSeconds: 180,
  });
}

/**
 * A stock agent's monitor each ten seconds takes a guest a tenth of its time, ours at depth 10 after each start as long as a command. So where
 * something is to fail, and to be seen at depth 0, there is no other depth; else each comes once, and then not for ten minutes.
 */
export async function lookLessOften(server: Server, watched = false): Promise<void> {
  const { stdout } = await server.run(['cibadmin', '--query', '--scope', 'resources']);
  const fewer = watched
    ? stdout.replaceAll(/<op (?=[^>]*name="monitor")[^>]*interval="60s"[^/]*>.*?<\/op>/gsu, '')
    : stdout.replaceAll(/(?<=interval=")(?:10|20|60)(?=s")/gu, (seconds) => String(Number(seconds) + 600));
  if (fewer === stdout) throw new Error(`no monitor of ours in ${stdout}`);
  await server.write('/run/lab/resources.xml', fewer);
  await server.run(
    ['cibadmin', '--replace', '--scope', 'resources', '--xml-file', '/run/lab/resources.xml'],
    {
      timeoutSeconds: 180,
    },
  );
}

/** How often an address has begun to be served, by its record on the node that serves it. */
export async function epochOf(server: Server, ip: SiteIp): Promise<number> {
  const { stdout } = await server.run([server.tool, 'status', ip.address, '--json'], { reject: false });
  const [line = '{}'] = stdout.split('\n');
  const { epoch } = (JSON.parse(line) as { record?: { epoch?: number } }).record ?? {};
  if (epoch === undefined) throw new Error(`no epoch in ${recordOf(ip)}: ${stdout}`);
  return epoch;
}

interface PastTakeover {
  readonly kind: string;
  readonly startedAt: string;
  readonly fencing: string | null;
  readonly steps: readonly {
    readonly step: string;
    readonly state: string;
    readonly endedAt: string;
    readonly detail: string;
  }[];
}

/** The last takeover of an address as its record has it; `ended`: when each step did, ms since 1970. */
export async function lastTakeover(server: Server, { address }: SiteIp) {
  const { stdout } = await server.run([server.tool, 'history', address, '--json'], { timeoutSeconds: 180 });
  const all = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PastTakeover);
  const takeover = all.findLast(({ kind }) => kind === 'takeover');
  if (takeover === undefined) throw new Error(`no takeover of ${address}: ${stdout}`);
  const ended = (name: string) =>
    Math.max(...takeover.steps.filter(({ step }) => step === name).map(({ endedAt }) => Date.parse(endedAt)));
  return { ...takeover, began: Date.parse(takeover.startedAt), ended };
}
