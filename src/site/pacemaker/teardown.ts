import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { failed, runOrFail } from '../../host/action.js';
import { type Argv, commandText, type Host } from '../../host/host.js';
import { patchCib, readCib } from './cluster.js';
import { chained } from './commands.js';
import type { Format } from './formats.js';
import { type PartChange, summary } from './cib/merge.js';
import { ownConstraints, refuseForeign, refuseForeignClone, resourceIn } from './foreign.js';
import {
  type ClusterConfig,
  constraintIds,
  isClone,
  isGroup,
  preferenceId,
  primitivesOf,
  type Resource,
  resourceId,
} from './model.js';
import { unfit } from './unfit.js';
import { all, changed, childrenOf, type Element, idOf, parse } from './cib/xml.js';

/** How often it is asked whether a resource is stopped. */
const askAgainMs = 1_000;

/** What a person runs to take these addresses out of the cluster: stopped first, and where one does not stop in time nothing is removed. */
export function removeText(config: ClusterConfig, format: Format): string {
  // What others are tied to goes after them.
  const resources = config.resources.toSorted((one, other) => Number(isClone(one)) - Number(isClone(other)));
  const lines = resources.flatMap((resource) => {
    const seconds = stopSeconds(resource);
    switch (format) {
      case 'pcs':
        return [
          ['pcs', 'resource', 'disable', resource.id, `--wait=${seconds}`],
          ['pcs', 'resource', 'delete', resource.id],
        ];
      case 'crm':
        return [
          ['crm', '--wait', 'resource', 'stop', resource.id],
          [
            'crm',
            'configure',
            'delete',
            resource.id,
            ...(isGroup(resource) || isClone(resource) ? primitivesOf(resource).map(({ id }) => id) : []),
          ],
        ];
      case 'xml':
        return [
          stopCommand(resource.id),
          ['crm_resource', '--wait', `--timeout=${seconds}s`],
          ...constraintsOf(resource, config).map((id) => [
            'cibadmin',
            '--delete',
            `--xpath=//constraints/*[@id="${id}"]`,
          ]),
          ['cibadmin', '--delete', `--xpath=//resources//*[@id="${resource.id}"]`],
        ];
    }
  });
  return chained(lines.map(commandText));
}

/** The same for addresses of which nothing else is known any more. */
export function goneText(gone: readonly Pick<FloatingIp, 'address'>[], format: Format): string {
  if (gone.length === 0) return '';
  const resources = gone.map(({ address }) => ({
    id: resourceId(address),
    provider: '',
    type: '',
    parameters: [],
    operations: [],
    meta: [],
  }));
  return removeText({ resources, orders: [], preferences: [], ties: [], gone: [] }, format);
}

/** Those that the cluster may have for a resource; to delete one that it has not is no error. */
function constraintsOf({ id }: Resource, { orders, preferences, ties }: ClusterConfig): string[] {
  return [
    preferenceId(id),
    ...constraintIds({
      orders: orders.filter((order) => [order.one, order.other].includes(id)),
      preferences: preferences.filter((one) => one.resource === id && one.id !== preferenceId(id)),
      ties: ties.filter((tie) => tie.resource === id),
    }),
  ];
}

/** All of its stops, one after the other. */
export function stopSeconds(resource: Resource): number {
  return primitivesOf(resource)
    .flatMap(({ operations }) => operations)
    .filter(({ name }) => name === 'stop')
    .reduce((sum, { timeout }) => sum + timeout, 0);
}

export interface TearDownOptions {
  /** The clone that they are tied to, which goes after them; absent: none goes. */
  readonly clone?: string | undefined;
  /** Seconds for which it is waited until this is stopped. */
  readonly limit: (id: string) => number;
  /** Told once that it is waited for, and where it runs. */
  readonly stopping?: (id: string, places: readonly string[], seconds: number) => void;
}

/**
 * Takes what nlm-failover made for these addresses out of the cluster, and nothing else: stops each, waits until it is stopped, and removes it with its
 * constraints, in one change. Looks at all of it before it touches any, and once more before each thing that it does, as a stop takes
 * minutes, and others write too. Throws CLUSTER_UNFIT where somebody else's configuration needs it, and says what was disabled until then;
 * NOT_VERIFIED where it does not stop: then it is disabled, and nothing was removed.
 */
export async function tearDown(
  host: Host,
  floatingIps: readonly Pick<FloatingIp, 'address'>[],
  options: TearDownOptions,
): Promise<readonly PartChange[]> {
  const { clone } = options;
  const addressIds = floatingIps.map(({ address }) => resourceId(address));
  const ids = [...addressIds, ...(clone === undefined ? [] : [clone])];
  const disabled: string[] = [];
  const look = async (): Promise<Element> => {
    const cib = await readCib(host);
    try {
      for (const ip of floatingIps) refuseForeign(cib, ip);
      if (clone !== undefined) refuseForeignClone(cib, clone, addressIds);
      for (const id of disabled) refuseEnabled(cib, id);
    } catch (error) {
      throw disabled.length > 0 && error instanceof FailoverError ? meanwhile(error, disabled) : error;
    }
    return cib;
  };
  let cib = await look();
  const there = ids.filter((id) => resourceIn(cib, id) !== undefined);
  for (const id of there) await refuseUnmanaged(host, membersOf(resourceIn(cib, id)));
  for (const [at, id] of there.entries()) {
    if (at > 0) cib = await look();
    const top = resourceIn(cib, id);
    if (top === undefined) continue; // somebody removed it meanwhile
    await disable(host, top);
    disabled.push(id);
    await untilStopped(host, top, options);
  }
  if (there.length > 0) cib = await look();
  const gone = partsOf(cib, ids);
  if (gone.length > 0) {
    const going = new Set(gone);
    await patchCib(
      host,
      cib,
      changed(cib, (one) => (going.has(one) ? undefined : one)),
    );
    const [left] = partsOf(await readCib(host), ids);
    if (left !== undefined) throw notGone(idOf(left));
  }
  const absent = ids.filter((id) => !there.includes(id));
  return [
    ...gone.map((one) => ({ id: idOf(one), state: 'removed' as const, details: [summary(one)] })),
    ...absent.map((id) => ({ id, state: 'unchanged' as const, details: ['not in the cluster'] })),
  ];
}

/** The resources, and the constraints that nlm-failover makes for them. */
function partsOf(cib: Element, ids: readonly string[]): Element[] {
  return [...ownConstraints(cib, ids), ...ids.flatMap((id) => resourceIn(cib, id) ?? [])];
}

function stopCommand(id: string): Argv {
  return [
    'crm_resource',
    '--resource',
    id,
    '--meta',
    '--set-parameter',
    'target-role',
    '--parameter-value',
    'Stopped',
  ];
}

/** The cluster then stops it, as its agents do: released, and handed over. */
async function disable(host: Host, top: Element): Promise<void> {
  if (!isDisabled(top)) await runOrFail(host, stopCommand(idOf(top)));
}

function isDisabled(top: Element): boolean {
  return childrenOf(top, 'meta_attributes')
    .flatMap((set) => childrenOf(set, 'nvpair'))
    .some(({ attributes }) => attributes['name'] === 'target-role' && attributes['value'] === 'Stopped');
}

function refuseEnabled(cib: Element, id: string): void {
  const top = resourceIn(cib, id);
  if (top === undefined || isDisabled(top)) return;
  throw unfit(`${id} was enabled again by somebody else`, 'See who did it, and run the same command again.');
}

/** What it is made of, or itself. */
function membersOf(top: Element | undefined): readonly string[] {
  if (top === undefined) return [];
  return top.name === 'group' ? childrenOf(top, 'primitive').map(idOf) : [idOf(top)];
}

/**
 * What runs and is not managed is not stopped, however long one waits: maintenance of the cluster, of the node or of the resource, or
 * is-managed. crm_mon knows of all of them.
 */
async function refuseUnmanaged(host: Host, members: readonly string[]): Promise<void> {
  const places = await runningOn(host, members);
  if (places.length === 0) return;
  const monitor: Argv = ['crm_mon', '--one-shot', '--output-as', 'xml'];
  const { exitCode, stdout } = await host.run(monitor, { short: true });
  if (exitCode !== 0) return; // it is waited for, then
  const kept = all(parse(stdout, 'crm_mon')).find(
    ({ name, attributes }) =>
      name === 'resource' && members.includes(attributes['id'] ?? '') && attributes['managed'] === 'false',
  );
  if (kept === undefined) return;
  throw unfit(
    `${idOf(kept)} runs on ${places.join(', ')} and is not managed (maintenance mode, or is-managed=false): the cluster does not stop it`,
    `End that first: crm_attribute --type crm_config --name maintenance-mode --delete; or crm_resource --resource ${idOf(kept)} --meta --delete-parameter is-managed. Nothing was touched.`,
  );
}

async function untilStopped(host: Host, top: Element, { limit, stopping }: TearDownOptions): Promise<void> {
  const id = idOf(top);
  const seconds = limit(id);
  const end = host.now() + seconds * 1000;
  for (let isTold = false; ; isTold = true) {
    const places = await runningOn(host, membersOf(top));
    if (places.length === 0) return;
    if (!isTold) stopping?.(id, places, seconds);
    if (host.now() >= end) throw stillRuns(id, places, seconds);
    await host.delay(askAgainMs);
  }
}

/** The nodes on which one of them is not stopped (crm_resource --locate). */
export async function runningOn(host: Host, ids: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const id of ids) {
    const locate: Argv = ['crm_resource', '--resource', id, '--locate', '--output-as', 'xml'];
    const answer = await host.run(locate, { short: true });
    if (answer.exitCode !== 0) throw failed(locate, answer);
    found.push(...[...answer.stdout.matchAll(/<node\b[^>]*>([^<]*)<\/node>/g)].map(([, node = '']) => node));
  }
  return [...new Set(found)];
}

function stillRuns(id: string, places: readonly string[], seconds: number): FailoverError {
  return new FailoverError(
    `${id} still runs on ${places.join(', ')}, ${seconds} s after it was disabled: it stays disabled, and nothing was removed`,
    {
      code: 'NOT_VERIFIED',
      exitCode: exitCodes.stepFailed,
      operation: `stopping ${id}`,
      hint: 'See "crm_mon -1": a cluster or a resource in maintenance mode stops nothing. Then run the same command again, or enable it (target-role=Started).',
    },
  );
}

/** Somebody has changed the cluster while this was at it. */
function meanwhile({ message, hint = '' }: FailoverError, disabled: readonly string[]): FailoverError {
  return unfit(
    `${message}: that was changed while ${disabled.join(', ')} was stopped; nothing was removed`,
    `${hint} What was stopped stays disabled: run the same command again, or enable it (target-role=Started).`,
  );
}

function notGone(id: string): FailoverError {
  return new FailoverError(`${id} is still in the cluster after it was removed`, {
    code: 'NOT_VERIFIED',
    exitCode: exitCodes.stepFailed,
    operation: 'asking the cluster',
    hint: 'Somebody may have written it meanwhile: see "cibadmin --query", and run the same command again.',
  });
}
