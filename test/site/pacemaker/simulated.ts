// What Pacemaker makes of a CIB in a file, and such a CIB as text that can be compared.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { all, childrenOf, type Element, parse } from '../../../src/site/pacemaker/cib/xml.js';
import type { Ended, PaperCluster } from './cluster-tools.js';

export function succeeded(t: ExecutionContext, { code, stdout, stderr }: Ended): string {
  t.is(code, 0, stdout + stderr);
  return stdout;
}

export interface Simulated {
  /** Where each resource runs afterwards. */
  readonly places: ReadonlyMap<string, string>;
  /** For each action those that come right before it. */
  readonly graph: ReadonlyMap<string, ReadonlySet<string>>;
  waitsFor(action: string, before: string): boolean;
}

/** What Pacemaker does next, and after that nothing more; the CIB is then as it leaves it. */
export async function simulated(
  t: ExecutionContext,
  paper: PaperCluster,
  options: readonly string[],
): Promise<Simulated> {
  const graphFile = path.join(paper.directory, 'graph.xml');
  const after = path.join(paper.directory, 'after.xml');
  const simulate = ['crm_simulate', '--xml-file', paper.cib, '--simulate', '--save-graph', graphFile];
  succeeded(t, await paper.run([...simulate, '--save-output', after, ...options]));
  paper.write(readFileSync(after, 'utf8'));
  const graph = new Map<string, Set<string>>();
  for (const synapse of all(parse(readFileSync(graphFile, 'utf8'), 'the graph')).filter(
    (one) => one.name === 'synapse',
  )) {
    const keys = (part: string) =>
      childrenOf(synapse, part)
        .flatMap(all)
        .flatMap(({ name, attributes: { operation, operation_key: key = operation, on_node: on = '' } }) =>
          ['rsc_op', 'pseudo_event', 'crm_event'].includes(name)
            ? [key === 'stonith' ? `stonith-${on}-reboot` : (key ?? '')]
            : [],
        );
    for (const key of keys('action_set'))
      graph.set(key, new Set([...(graph.get(key) ?? []), ...keys('inputs')]));
  }
  const places = new Map<string, string>();
  const { stdout } = await paper.run(['crm_mon', '--xml-file', after, '--one-shot', '--output-as', 'xml']);
  for (const one of all(parse(stdout, 'crm_mon')).filter(({ name }) => name === 'resource')) {
    const [node] = childrenOf(one, 'node');
    if (node !== undefined) places.set(one.attributes['id'] ?? '', node.attributes['name'] ?? '');
  }
  const waitsFor = (action: string, before: string, seen = new Set<string>()): boolean => {
    if (seen.has(action)) return false;
    seen.add(action);
    const inputs = graph.get(action) ?? new Set<string>();
    return inputs.has(before) || [...inputs].some((one) => waitsFor(one, before, seen));
  };
  return { places, graph, waitsFor: (action, before) => waitsFor(action, before) };
}

/** Our resources and constraints in a CIB, a line for each value, without the ids that each program makes in its own way. */
export function normalised(cib: string): string[] {
  const made = new Set(['nvpair', 'op', 'instance_attributes', 'meta_attributes', 'rule', 'expression']);
  const lines = (one: Element, above: string): string[] => {
    const { id = '', ...rest } = one.attributes;
    const ordered = Object.entries(rest).filter(
      ([name, value]) =>
        !(/^(?:first|then)-action$/.test(name) && value === 'start') &&
        !(name === 'boolean-op' && value === 'and'),
    );
    const words = ordered.map(([name, value]) => `${name}=${value}`).toSorted();
    const named =
      one.name === 'op'
        ? `op ${rest['name'] ?? ''} ${rest['interval'] ?? ''}`
        : made.has(one.name)
          ? one.name
          : `${one.name} ${id}`;
    return [
      `${above}/${named} ${words.join(' ')}`,
      ...childrenOf(one).flatMap((child) => lines(child, `${above}/${named}`)),
    ];
  };
  const tree = parse(cib, 'the CIB');
  const tops = ['resources', 'constraints'].flatMap((name) =>
    childrenOf(all(tree).find((one) => one.name === name) ?? tree),
  );
  return tops.flatMap((top) => lines(top, '')).toSorted();
}

/** Every word of a CIB, but for its own version. */
export function withoutVersion(cib: string): string[] {
  return cib
    .replaceAll(/ (?:epoch|num_updates|admin_epoch|cib-last-written)="[^"]*"/g, '')
    .replaceAll(/\s*(<[^>]*>)\s*/g, '$1\n')
    .split('\n');
}
