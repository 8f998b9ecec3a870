import * as v from 'valibot';
import type { Host } from '../host.js';
import { isMissing } from '../running/command.js';

/** What must be let in. */
export interface Service {
  readonly name: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
}

/** As much of `nft -j list ruleset` as is read here (libnftables-json(5)); an expression has one key. */
const rulesetSchema = v.object({
  nftables: v.array(
    v.object({
      chain: v.optional(
        v.object({
          family: v.string(),
          table: v.string(),
          name: v.string(),
          type: v.optional(v.string()),
          hook: v.optional(v.string()),
          policy: v.optional(v.string()),
        }),
      ),
      set: v.optional(
        v.object({
          family: v.string(),
          table: v.string(),
          name: v.string(),
          elem: v.optional(v.array(v.unknown())),
        }),
      ),
      rule: v.optional(
        v.object({
          family: v.string(),
          table: v.string(),
          chain: v.string(),
          expr: v.array(v.record(v.string(), v.unknown())),
        }),
      ),
    }),
  ),
});

type Rule = NonNullable<v.InferOutput<typeof rulesetSchema>['nftables'][number]['rule']>;
type Chain = NonNullable<v.InferOutput<typeof rulesetSchema>['nftables'][number]['chain']>;

/** A chain that drops what no rule of it accepts. */
export interface ClosedChain {
  /** "inet filter input". */
  readonly name: string;
  /** Whether a rule of it, or of a chain that it goes to, may let a service in that comes in at this interface. Where that cannot be told, it may. */
  letsIn(service: Service, device: string): boolean;
}

/**
 * The chains through which packets for this host come, and that drop what they do not know, for IPv4 or IPv6; those that iptables-nft, ufw
 * and firewalld have made among them. Undefined where nft is not here, or does not say. Throws FailoverError COMMAND_TIMEOUT.
 */
export async function closedChains(host: Host, family: 4 | 6): Promise<readonly ClosedChain[] | undefined> {
  const items = await ruleset(host);
  if (items === undefined) return undefined;
  const chains = items.flatMap(({ chain }) => chain ?? []);
  const rules = items.flatMap(({ rule }) => rule ?? []);
  const sets = new Map(
    items.flatMap(({ set }) => (set === undefined ? [] : [[`${set.table} @${set.name}`, set.elem ?? []]])),
  );
  const families = ['inet', family === 4 ? 'ip' : 'ip6'];
  return chains
    .filter((chain) => chain.hook === 'input' && chain.type === 'filter' && families.includes(chain.family))
    .filter((chain) => chain.policy === 'drop' || rulesOf(rules, chain, chain.name).some(dropsAll))
    .map((chain) => ({
      name: `${chain.family} ${chain.table} ${chain.name}`,
      letsIn: (service, device) =>
        reachable(rules, chain).some((rule) => mayAccept(rule, service, device, sets)),
    }));
}

async function ruleset(host: Host) {
  try {
    // By the system's PATH alone: others have programs of that name (node_modules/.bin/nft of @vercel/nft was seen in its place).
    const { exitCode, stdout } = await host.run(['nft', '-j', 'list', 'ruleset'], {
      short: true,
      bare: true,
    });
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), rulesetSchema), stdout);
    return exitCode === 0 && parsed.success ? parsed.output.nftables : undefined;
  } catch (error) {
    if (!isMissing(error)) throw error;
    return undefined;
  }
}

function rulesOf(rules: readonly Rule[], { family, table }: Chain, name: string): Rule[] {
  return rules.filter((rule) => rule.family === family && rule.table === table && rule.chain === name);
}

/** Those of a chain, and of every chain that it goes to. */
function reachable(rules: readonly Rule[], chain: Chain): Rule[] {
  const names = new Set([chain.name]);
  const found: Rule[] = [];
  for (const name of names) {
    for (const rule of rulesOf(rules, chain, name)) {
      found.push(rule);
      for (const expression of rule.expr) {
        const next = textAt(expression['jump'] ?? expression['goto'], 'target');
        if (next !== undefined) names.add(next);
      }
    }
  }
  return found;
}

/** It counts or logs, and drops or rejects whatever comes. */
function dropsAll({ expr }: Rule): boolean {
  const kinds = expr
    .flatMap((one) => Object.keys(one))
    .filter((kind) => !['counter', 'log', 'comment'].includes(kind));
  return kinds.length === 1 && (kinds[0] === 'drop' || kinds[0] === 'reject');
}

function mayAccept(
  rule: Rule,
  service: Service,
  device: string,
  sets: ReadonlyMap<string, readonly unknown[]>,
): boolean {
  const accepts = rule.expr.some((one) => 'accept' in one || 'vmap' in one);
  return (
    accepts &&
    rule.expr.every((one) => !('match' in one) || fits(one['match'], rule.table, service, device, sets))
  );
}

/** Whether a new packet of the service may match; what is not understood may. */
function fits(
  match: unknown,
  table: string,
  { protocol, port }: Service,
  device: string,
  sets: ReadonlyMap<string, readonly unknown[]>,
): boolean {
  const { left, right, op } = fields(match);
  const { payload, meta, ct } = fields(left);
  const named = typeof right === 'string' ? sets.get(`${table} ${right}`) : undefined;
  const among = (wanted: string | number): boolean => {
    const is = (named ?? elements(right)).some((one) => isElement(one, wanted));
    return op === '!=' ? !is : is;
  };
  const field = textAt(payload, 'field');
  if (field === 'dport') return ['th', protocol].includes(textAt(payload, 'protocol') ?? '') && among(port);
  if (field === 'protocol' || field === 'nexthdr' || textAt(meta, 'key') === 'l4proto')
    return among(protocol);
  if (['iif', 'iifname'].includes(textAt(meta, 'key') ?? ''))
    return among(device) || String(right).includes('*');
  if (textAt(ct, 'key') === 'state') return among('new');
  return true;
}

/** The values of a set that stands in a rule, or the one value. */
function elements(right: unknown): readonly unknown[] {
  const { set } = fields(right);
  return Array.isArray(set) ? (set as unknown[]) : Array.isArray(right) ? (right as unknown[]) : [right];
}

function isElement(element: unknown, wanted: string | number): boolean {
  const { range, elem } = fields(element);
  if (elem !== undefined) return isElement(fields(elem)['val'], wanted);
  if (Array.isArray(range)) return Number(range[0]) <= Number(wanted) && Number(wanted) <= Number(range[1]);
  return element === wanted;
}

const objectSchema = v.record(v.string(), v.unknown());

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return v.is(objectSchema, value) ? value : {};
}

function textAt(value: unknown, key: string): string | undefined {
  const found = fields(value)[key];
  return typeof found === 'string' ? found : undefined;
}
