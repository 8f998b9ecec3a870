import { isIPv4 } from 'node:net';
import { exitCodes, FailoverError } from '../errors.js';
import { saidOf } from '../host/action.js';
import type { Argv, Host } from '../host/host.js';
import { nfsdThreads, nlmProgram } from '../host/reading/nfsd.js';
import { registrations, rpcbindSocket } from '../rpc/rpcbind-local.js';
import { isRoots, portOfUniversalAddress, type Registration } from '../rpc/rpcbind-messages.js';
import * as iptables from './filter/iptables.js';

// How a node refuses NLM while its lock manager still has its locks: by a table of its own of the kernel's packet filter, which nothing else uses. Its
// rules drop what matches sets whose elements time out (nft(8), SETS): nobody has to be there for that, so that they let everything through again
// also when the process that renews them was killed. Dropped, and not rejected: a client asks again, and none is told that there is no lock manager.

/** A port of the lock manager, as rpcbind has it. */
export interface Port {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

export interface Refused {
  readonly ports: readonly Port[];
  /** The public addresses of this node. */
  readonly addresses: readonly string[];
}

const family = 'inet';
/** Of this node; no other program makes one of that name. */
export const tableName = 'nlm_failover_ctdb';

/**
 * nft's input: the table as it is to be, put in the place of the one that is there in one transaction.
 *
 * Into the node goes nothing for the lock manager's ports. Out of it goes nothing that lockd begins by itself: it calls a client back whose
 * blocked lock it can grant by now (fs/lockd/svclock.c, nlmsvc_grant_blocked), from the address that the client had asked (fs/lockd/host.c,
 * h_srcaddr) and a reserved port (net/sunrpc/xprtsock.c, xs_bind; 665 to 1023 unless set otherwise). As the first node's locks go, another one would
 * grant them so, closed ports or not. The loopback is left alone: statd and rpcbind talk to lockd there.
 */
export function refusalText({ ports, addresses }: Refused, ms: number): string {
  const timeout = `timeout ${Math.max(1, Math.ceil(ms / 1000))}s`;
  const elements = (list: readonly string[]) =>
    list.length === 0 ? '' : ` elements = { ${list.map((one) => `${one} ${timeout}`).join(', ')} };`;
  const calls = 'meta l4proto { tcp, udp } th sport 512-1023';
  return [
    ...removalText().split('\n').filter(Boolean),
    `table ${family} ${tableName} {`,
    `  set ports { type inet_proto . inet_service; flags timeout;${elements(ports.map(({ protocol, port }) => `${protocol} . ${port}`))} }`,
    `  set own4 { type ipv4_addr; flags timeout;${elements(addresses.filter((one) => isIPv4(one)))} }`,
    `  set own6 { type ipv6_addr; flags timeout;${elements(addresses.filter((one) => !isIPv4(one)))} }`,
    '  chain in { type filter hook input priority -10; policy accept;',
    '    iifname != "lo" meta l4proto . th dport @ports drop; }',
    '  chain out { type filter hook output priority -10; policy accept;',
    `    oifname != "lo" ${calls} ip saddr @own4 drop; oifname != "lo" ${calls} ip6 saddr @own6 drop; }`,
    '}',
    '',
  ].join('\n');
}

/** Without an error where there is none. */
export function removalText(): string {
  return `add table ${family} ${tableName}\ndelete table ${family} ${tableName}\n`;
}

/** Versions 1, 3 and 4 (fs/lockd/svc.c, nlmsvc_version). */
const lockVersions: readonly number[] = [1, 3, 4];

/**
 * Those on which the lock manager listens. What others have registered under its number does not count: they could have the port of sshd
 * refused, or that of ctdbd.
 */
export function lockPortsIn(registered: readonly Registration[]): Port[] {
  const found = new Map<string, Port>();
  for (const one of registered) {
    const [, protocol] = /^(tcp|udp)6?$/.exec(one.netid) ?? [];
    if (one.program !== nlmProgram || !lockVersions.includes(one.version) || !isRoots(one)) continue;
    const port = portOfUniversalAddress(one.address);
    if (port !== undefined && (protocol === 'tcp' || protocol === 'udp'))
      found.set(`${protocol} ${port}`, { protocol, port });
  }
  return [...found.values()];
}

const answerMs = 5000;
const rehearsedPorts: readonly Port[] = [
  { protocol: 'tcp', port: 4045 },
  { protocol: 'udp', port: 4045 },
];

/** Where the lock manager of this node listens; nowhere where it does not run. Throws FailoverError NOT_VERIFIED. */
export async function lockPorts(host: Host): Promise<readonly Port[]> {
  if (host.kind === 'rehearsal') {
    const isRegistered =
      nfsdThreads(host, '/proc/fs/nfsd') > 0 && host.readText('/rpcbind-anew') === undefined;
    return isRegistered ? rehearsedPorts : [];
  }
  const registered = await registrations(rpcbindSocket, answerMs);
  if (registered !== undefined) return lockPortsIn(registered);
  throw new FailoverError(
    'rpcbind of this host does not answer: where the lock manager listens is not known',
    {
      code: 'NOT_VERIFIED',
      exitCode: exitCodes.stepFailed,
      operation: 'refusing NLM',
      hint: 'See that it runs: "rpcinfo".',
    },
  );
}

// By the system's PATH alone: others have programs of that name (node_modules/.bin/nft of @vercel/nft was seen in its place).
const nft: Argv = ['nft', '-f', '-'];
const list: Argv = ['nft', 'list', 'set', family, tableName, 'ports'];

/**
 * Refuses for so long, ms, or as long anew. Proved by what the kernel then has. Throws FailoverError COMMAND_FAILED, COMMAND_MISSING,
 * NOT_VERIFIED.
 */
export async function refuse(host: Host, refused: Refused, ms: number): Promise<void> {
  return withFilter({
    nft: () => refuseByNft(host, refused, ms),
    iptables: () => iptables.refuse(host, refused, ms),
  });
}

async function refuseByNft(host: Host, refused: Refused, ms: number): Promise<void> {
  await apply(host, refusalText(refused, ms));
  // By the same look as later: rules that it does not know again would be gone each time, and all would begin anew for ever.
  if (await standsInNft(host, refused)) return;
  throw new FailoverError('The kernel does not refuse NLM, though nft said so', {
    code: 'NOT_VERIFIED',
    exitCode: exitCodes.stepFailed,
    operation: 'refusing NLM',
    hint: `See "nft list table ${family} ${tableName}".`,
  });
}

/** Lets everything through again. Throws FailoverError. */
export async function letThrough(host: Host): Promise<void> {
  return withFilter({
    nft: () => apply(host, removalText()),
    iptables: () => iptables.letThrough(host),
  });
}

const table: Argv = ['nft', 'list', 'table', family, tableName];

/** Whether all of that is refused at this moment: others may have emptied the packet filter, as by "nft flush ruleset". Throws FailoverError. */
export async function stands(host: Host, refused: Refused): Promise<boolean> {
  return withFilter({
    nft: () => standsInNft(host, refused),
    iptables: () => iptables.stands(host, refused),
  });
}

async function standsInNft(host: Host, { ports }: Refused): Promise<boolean> {
  const { exitCode, stdout } = await host.run(table, { bare: true });
  const parts = [
    ...ports.map(({ protocol, port }) => `${protocol} . ${port} timeout`),
    ...['ports', 'own4', 'own6'].map((set) => `@${set} drop`),
  ];
  return exitCode === 0 && parts.every((part) => stdout.includes(part));
}

/** Whether anything is refused at this moment. */
export async function isRefusing(host: Host): Promise<boolean> {
  return withFilter({
    nft: async () => {
      const { exitCode, stdout } = await host.run(list, { bare: true });
      return exitCode === 0 && stdout.includes('elements');
    },
    iptables: () => iptables.isRefusing(host),
  });
}

/** By nft, and where that is not installed by iptables. Throws FailoverError COMMAND_MISSING where neither is. */
async function withFilter<T>(by: Readonly<Record<'nft' | 'iptables', () => Promise<T>>>): Promise<T> {
  try {
    return await by.nft();
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    return await by.iptables();
  } catch (error) {
    throw isMissing(error) ? noFilter() : error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof FailoverError && error.code === 'COMMAND_MISSING';
}

function noFilter(): FailoverError {
  return new FailoverError('Neither nft nor iptables is installed: NLM cannot be refused', {
    code: 'COMMAND_MISSING',
    exitCode: exitCodes.stepFailed,
    operation: 'refusing NLM',
    hint: 'Install the package nftables.',
  });
}

/** What a generation would refuse by, and what to install; looks for the programs, and changes nothing. */
export async function filterHere(host: Host): Promise<{ readonly name: string } | FailoverError> {
  try {
    return await withFilter({
      nft: async () => {
        await host.run(['nft', '--version'], { bare: true, short: true });
        return { name: 'nftables' };
      },
      iptables: async () => {
        await host.run(['iptables-restore', '--version'], { bare: true, short: true });
        return { name: 'iptables' };
      },
    });
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    return error;
  }
}

async function apply(host: Host, input: string): Promise<void> {
  const result = await host.run(nft, { input, bare: true });
  if (result.exitCode === 0) return;
  throw new FailoverError(`nft cannot change the table ${family} ${tableName}: ${saidOf(result)}`, {
    code: 'COMMAND_FAILED',
    exitCode: exitCodes.stepFailed,
    operation: 'refusing NLM',
    hint: 'The kernel needs nf_tables, and this host the package nftables.',
  });
}
