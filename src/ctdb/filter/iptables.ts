import { isIPv4 } from 'node:net';
import { exitCodes, FailoverError } from '../../errors.js';
import { saidOf } from '../../host/action.js';
import type { Argv, CommandResult, Host } from '../../host/host.js';
import type { Refused } from '../refusal.js';

// The same where nft(8) is not installed: chains of our own in the table "filter" of iptables(8), whichever of its two kinds that is. Its rules
// match within a span of time alone (iptables-extensions(8), time; net/netfilter/xt_time.c, time_mt), so that they are over by themselves, also when the
// process that renews them was killed: what is left then matches nothing. The kernel goes by the wall clock there; when that is set, the rules end
// early, and are renewed, or last as much longer as the span begins before now, and no more.

const chains = { in: 'nlm_failover_ctdb_in', out: 'nlm_failover_ctdb_out' } as const;
const hooks = [
  ['INPUT', chains.in],
  ['OUTPUT', chains.out],
] as const;
const programs = { 4: 'iptables', 6: 'ip6tables' } as const;
type Family = keyof typeof programs;
/** For the lock of another iptables, seconds. */
const wait = ['-w', '5'] as const;
/** So long before now the span begins. */
const before = 60_000;

/** Input of iptables-restore: both chains as they are to be, in the place of what they were, in one transaction (--noflush empties those that are named). */
export function rulesText(
  { ports, addresses }: Refused,
  family: Family,
  { from, to }: { readonly from: number; readonly to: number },
): string {
  const during = `-m time --datestart ${timeText(from)} --datestop ${timeText(to)} -j DROP`;
  const own = addresses.filter((one) => isIPv4(one) === (family === 4));
  return [
    '*filter',
    ...Object.values(chains).map((chain) => `:${chain} - [0:0]`),
    ...ports.map(({ protocol, port }) => `-A ${chains.in} ! -i lo -p ${protocol} --dport ${port} ${during}`),
    ...own.flatMap((address) =>
      ['tcp', 'udp'].map(
        (protocol) => `-A ${chains.out} ! -o lo -s ${address} -p ${protocol} --sport 512:1023 ${during}`,
      ),
    ),
    'COMMIT',
    '',
  ].join('\n');
}

/** Refuses for so long, ms, or as long anew. Throws FailoverError COMMAND_FAILED, COMMAND_MISSING, NOT_VERIFIED. */
export async function refuse(host: Host, refused: Refused, ms: number): Promise<void> {
  const now = host.now();
  const span = { from: now - before, to: now + ms };
  for (const family of familiesOf(host)) {
    const program = programs[family];
    const restore: Argv = [`${program}-restore`, '--noflush', ...wait];
    const input = rulesText(refused, family, span);
    await succeed(restore, await host.run(restore, { input, bare: true }));
    for (const [hook, chain] of hooks) {
      const rule = [hook, '-j', chain] as const;
      if ((await host.run([program, ...wait, '-C', ...rule], { bare: true })).exitCode === 0) continue;
      const insert: Argv = [program, ...wait, '-I', ...rule];
      await succeed(insert, await host.run(insert, { bare: true }));
    }
    const text = (await rulesOf(host, family)) ?? '';
    const end = Date.parse(`${timeText(span.to)}Z`);
    if (!refused.ports.every((port) => stopsOf(text, port).includes(end)))
      throw new FailoverError(`The kernel does not refuse NLM, though ${program} said so`, {
        code: 'NOT_VERIFIED',
        exitCode: exitCodes.stepFailed,
        operation: 'refusing NLM',
        hint: `See "${program} -S ${chains.in}".`,
      });
  }
}

/** Without an error where nothing is refused. Throws FailoverError. */
export async function letThrough(host: Host): Promise<void> {
  for (const family of familiesOf(host)) {
    const program = programs[family];
    for (const [hook, chain] of hooks) {
      // Each in vain where it is not there.
      for (const words of [
        ['-D', hook, '-j', chain],
        ['-F', chain],
        ['-X', chain],
      ] as const)
        await host.run([program, ...wait, ...words], { bare: true });
    }
    if ((await rulesOf(host, family)) === undefined) continue;
    const argv: Argv = [program, '-X', chains.in];
    throw failure(argv, 'it is there still');
  }
}

/** Whether anything is refused at this moment. */
export async function isRefusing(host: Host): Promise<boolean> {
  for (const family of familiesOf(host)) {
    const text = (await rulesOf(host, family)) ?? '';
    for (const [, time = ''] of text.matchAll(/--datestop (\S+)/g))
      if (Date.parse(`${time}Z`) >= host.now()) return true;
  }
  return false;
}

/** Whether all of that is refused at this moment, by chains that packets come to. */
export async function stands(host: Host, { ports }: Refused): Promise<boolean> {
  for (const family of familiesOf(host)) {
    for (const [hook, chain] of hooks) {
      const there = await host.run([programs[family], ...wait, '-C', hook, '-j', chain], { bare: true });
      if (there.exitCode !== 0) return false;
    }
    const text = (await rulesOf(host, family)) ?? '';
    if (!ports.every((port) => stopsOf(text, port).some((stop) => stop >= host.now()))) return false;
  }
  return true;
}

/** Until when the rules of a port match, ms since 1970. */
function stopsOf(text: string, { protocol, port }: Refused['ports'][number]): number[] {
  const rules = new RegExp(`-p ${protocol} .*--dport ${port} .*--datestop (\\S+) `, 'g');
  return [...text.matchAll(rules)].map(([, time = '']) => Date.parse(`${time}Z`));
}

/** Undefined where the chain is not there. */
async function rulesOf(host: Host, family: Family): Promise<string | undefined> {
  const { exitCode, stdout } = await host.run([programs[family], ...wait, '-S', chains.in], { bare: true });
  return exitCode === 0 ? stdout : undefined;
}

/** IPv6 where the kernel has it: ip6tables fails elsewhere. */
function familiesOf(host: Host): readonly Family[] {
  return (host.readText('/proc/net/if_inet6') ?? '') === '' ? [4] : [4, 6];
}

/** UTC, in whole seconds, rounded up. */
function timeText(ms: number): string {
  return new Date(Math.ceil(ms / 1000) * 1000).toISOString().slice(0, 19);
}

async function succeed(argv: Argv, result: CommandResult): Promise<void> {
  if (result.exitCode !== 0) throw failure(argv, saidOf(result));
}

function failure(argv: Argv, said: string): FailoverError {
  return new FailoverError(`"${argv.join(' ')}" cannot change the chains of nlm-failover: ${said}`, {
    code: 'COMMAND_FAILED',
    exitCode: exitCodes.stepFailed,
    operation: 'refusing NLM',
    hint: 'Install the package nftables. Without it the kernel needs xt_time and what iptables needs.',
  });
}
