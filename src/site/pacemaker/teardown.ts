import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { failed, runOrFail } from '../../host/action.js';
import { type Argv, commandText, type Host } from '../../host/host.js';
import { patchCib, readCib } from './cluster.js';
import type { Format } from './formats.js';
import { isOurs, type PartChange, replaced, section, summary } from './cib/merge.js';
import {
  type ClusterConfig,
  isGroup,
  isSerialized,
  preferenceId,
  primitivesOf,
  type Resource,
  resourceId,
} from './model.js';
import { ownProvider } from './resource.js';
import { unfit } from './unfit.js';
import { all, childrenOf, type Element, withId } from './cib/xml.js';

/** How often it is asked whether a resource is stopped. */
const askAgainMs = 1_000;

/** What a person runs to take these addresses out of the cluster: stopped first, so that nothing is left half served. */
export function removeText({ resources, orders }: ClusterConfig, format: Format): string {
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
            ...(isGroup(resource) ? resource.members.map(({ id }) => id) : []),
          ],
        ];
      case 'xml':
        return [
          stopCommand(resource.id),
          ['crm_resource', '--wait', `--timeout=${seconds}s`],
          ...constraintsOf(resource, orders).map((id) => [
            'cibadmin',
            '--delete',
            `--xpath=//constraints/*[@id="${id}"]`,
          ]),
          ['cibadmin', '--delete', `--xpath=//resources//*[@id="${resource.id}"]`],
        ];
    }
  });
  return lines.map((argv) => `${commandText(argv)}\n`).join('');
}

/** Those that the cluster may have for a resource; to delete one that it has not is no error. */
function constraintsOf({ id }: Resource, orders: ClusterConfig['orders']): string[] {
  return [
    preferenceId(id),
    ...orders.filter((order) => [order.one, order.other].includes(id)).map((order) => order.id),
  ];
}

/** All of its stops, one after the other. */
export function stopSeconds(resource: Resource): number {
  return primitivesOf(resource)
    .flatMap(({ operations }) => operations)
    .filter(({ name }) => name === 'stop')
    .reduce((sum, { timeout }) => sum + timeout, 0);
}

/**
 * Takes what nlm-failover made for these addresses out of the cluster, and nothing else: stops each, waits until it is stopped, and removes it with its
 * constraints, in one change. Throws CLUSTER_UNFIT, with nothing touched, where somebody else's configuration needs it; NOT_VERIFIED where it does
 * not stop: then it is disabled, and nothing was removed.
 */
export async function tearDown(
  host: Host,
  floatingIps: readonly FloatingIp[],
  limit: (id: string) => number,
): Promise<readonly PartChange[]> {
  const ids = floatingIps.map(({ address }) => resourceId(address));
  const before = await readCib(host);
  const there = ids.filter((id) => withId(section(before, 'resources'), id) !== undefined);
  for (const id of there) refuseForeign(before, id);
  for (const id of there) await stop(host, before, id, limit(id));
  const cib = there.length === 0 ? before : await readCib(host);
  const gone = partsOf(cib, ids);
  if (gone.length > 0) {
    await patchCib(host, cib, without(cib, gone));
    const [left] = partsOf(await readCib(host), ids);
    if (left !== undefined) throw notGone(left.attributes['id'] ?? '');
  }
  const absent = ids.filter((id) => !there.includes(id));
  return [
    ...gone.map(({ attributes, ...rest }) => ({
      id: attributes['id'] ?? '',
      state: 'removed' as const,
      details: [summary({ attributes, ...rest })],
    })),
    ...absent.map((id) => ({ id, state: 'unchanged' as const, details: ['not in the cluster'] })),
  ];
}

/** The resources, and the constraints that nlm-failover makes for them. */
function partsOf(cib: Element, ids: readonly string[]): Element[] {
  const resources = ids.flatMap((id) => withId(section(cib, 'resources'), id) ?? []);
  const constraints = childrenOf(section(cib, 'constraints')).filter(({ attributes }) => {
    const { id = '', first = '', then = '' } = attributes;
    const isOfPair = isSerialized(id) && (ids.includes(first) || ids.includes(then));
    return isOfPair || ids.some((one) => id === preferenceId(one));
  });
  return [...constraints, ...resources];
}

function without(cib: Element, gone: readonly Element[]): Element {
  const ids = gone.map(({ attributes }) => attributes['id'] ?? '');
  return ids.reduce((one, id) => {
    const found = withId(section(one, 'resources'), id) ?? withId(section(one, 'constraints'), id);
    return found === undefined ? one : replaced(one, found, undefined);
  }, cib);
}

/** What is not ours: an id that is that of something else, a member that somebody put into our group, whatever names one of ours. */
function refuseForeign(cib: Element, id: string): void {
  const top = withId(section(cib, 'resources'), id);
  if (top === undefined) return;
  const members = top.name === 'group' ? childrenOf(top, 'primitive') : [top];
  const isMade = members.some(({ attributes }) => attributes['provider'] === ownProvider);
  if (!isMade) {
    throw unfit(
      `${id} is in the cluster, and nlm-failover did not make it`,
      'Remove it yourself, where it is to go.',
    );
  }
  const stranger = members.find((one) => one !== top && !isOurs(one.attributes['id'] ?? '', id));
  if (stranger !== undefined) {
    throw unfit(
      `${stranger.attributes['id'] ?? ''} is in the group ${id}, and nlm-failover did not make it`,
      'Take it out of the group first.',
    );
  }
  const ours = new Set(all(top).map(({ attributes }) => attributes['id']));
  const own = new Set(partsOf(cib, [id]).map(({ attributes }) => attributes['id']));
  const user = childrenOf(section(cib, 'constraints')).find(
    (one) => !own.has(one.attributes['id']) && all(one).some((part) => namesOne(part, ours)),
  );
  if (user !== undefined) {
    throw unfit(
      `The constraint ${user.attributes['id'] ?? ''} names ${id}, and nlm-failover did not make it`,
      `Remove it first; one that a move left ends with: crm_resource --clear --resource ${id}`,
    );
  }
}

function namesOne({ name, attributes }: Element, ours: ReadonlySet<string | undefined>): boolean {
  const named = [attributes['rsc'], attributes['with-rsc'], attributes['first'], attributes['then']];
  return (
    named.some((one) => one !== undefined && ours.has(one)) ||
    (name === 'resource_ref' && ours.has(attributes['id']))
  );
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

/** Stopped by the cluster, as its agents do: released, and handed over. */
async function stop(host: Host, cib: Element, id: string, seconds: number): Promise<void> {
  const top = withId(section(cib, 'resources'), id);
  const members =
    top?.name === 'group'
      ? childrenOf(top, 'primitive').map(({ attributes }) => attributes['id'] ?? '')
      : [id];
  const isStopped =
    top !== undefined &&
    childrenOf(top, 'meta_attributes').some((set) =>
      childrenOf(set, 'nvpair').some(
        ({ attributes }) => attributes['name'] === 'target-role' && attributes['value'] === 'Stopped',
      ),
    );
  if (!isStopped) await runOrFail(host, stopCommand(id));
  const end = host.now() + seconds * 1000;
  for (;;) {
    const places = await runningOn(host, members);
    if (places.length === 0) return;
    if (host.now() >= end) throw stillRuns(id, places, seconds);
    await host.delay(askAgainMs);
  }
}

/** The nodes on which one of them is not stopped (crm_resource --locate). */
async function runningOn(host: Host, ids: readonly string[]): Promise<readonly string[]> {
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

function notGone(id: string): FailoverError {
  return new FailoverError(`${id} is still in the cluster after it was removed`, {
    code: 'NOT_VERIFIED',
    exitCode: exitCodes.stepFailed,
    operation: 'asking the cluster',
    hint: 'Somebody may have written it meanwhile: see "cibadmin --query", and run the same command again.',
  });
}
