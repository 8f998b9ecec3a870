import { commandText } from '../../host/host.js';
import type { Argv } from '../../host/host.js';
import { configurationOf } from './cib/elements.js';
import type { Format } from './formats.js';
import { unfit } from './unfit.js';
import {
  agentOf,
  type ClusterConfig,
  isClone,
  isGroup,
  type Operation,
  type Pair,
  type Primitive,
  primitivesOf,
  type Resource,
  type Tie,
} from './model.js';
import { xmlText } from './cib/xml.js';

/** The file on which pcs works until all of it is pushed at once. */
const pcsFile = 'nlm-failover.cib';

/** Commands for a shell, none after one that fails: what pcs could not make would leave the rest to be pushed without it. */
export function chained(commands: readonly string[]): string {
  return `${commands.join(' &&\n')}\n`;
}

/** What a person runs, or pastes into a shell, on one node of the cluster. */
export function createText(config: ClusterConfig, format: Format): string {
  switch (format) {
    case 'pcs':
      return chained(
        [
          ['pcs', 'cluster', 'cib', pcsFile],
          ['cp', pcsFile, `${pcsFile}.before`],
          ...pcsCommands(config, pcsFile),
          pcsPush(pcsFile, `${pcsFile}.before`),
        ].map(folded),
      );
    case 'crm':
      return `crm configure load update - <<'END'\n${crmText(config)}END\n`;
    case 'xml':
      return `cibadmin --modify --allow-create --scope=configuration --xml-pipe <<'END'\n${xmlText(configurationOf(config))}END\n`;
  }
}

/** As many lines as there are kinds of words, so that people can read it. */
function folded(argv: readonly string[]): string {
  const lines: string[][] = [[]];
  for (const word of argv) {
    const isMember = argv[4] === 'create' && ['op', 'meta', '--no-default-ops'].includes(word);
    if (isMember) lines.push([]);
    lines.at(-1)?.push(word);
  }
  return lines.map((words) => commandText(words)).join(' \\\n  ');
}

/** The commands of pcs 0.10 and later that make all of it in a file with a CIB, where nothing of it is. */
export function pcsCommands({ resources, orders, preferences, ties }: ClusterConfig, file: string): Argv[] {
  const pcs = (...words: readonly string[]): Argv => ['pcs', '-f', file, ...words];
  return [
    ...resources.flatMap((resource): Argv[] => [
      ...primitivesOf(resource).map((one) => pcs('resource', 'create', ...pcsPrimitive(one))),
      ...pcsAround(resource).map((words) => pcs(...words)),
    ]),
    ...preferences.map(({ id, resource, node, score }) =>
      pcs('constraint', 'location', 'add', id, resource, node, `${score}`),
    ),
    ...orders.map(({ id, one, other }) =>
      pcs('constraint', 'order', 'start', one, 'then', 'start', other, 'kind=Serialize', `id=${id}`),
    ),
    ...ties.map((tie) => pcs('constraint', ...pcsTie(tie))),
  ];
}

/** What makes a group or a clone of primitives that are there. */
function pcsAround(resource: Resource): string[][] {
  if (isClone(resource)) {
    const { id, instance, meta } = resource;
    return [['resource', 'clone', instance.id, id, ...meta.map(assigned)]];
  }
  if (!isGroup(resource)) return [];
  return [
    ['resource', 'group', 'add', resource.id, ...resource.members.map(({ id }) => id)],
    ['resource', 'meta', resource.id, ...resource.meta.map(assigned)],
  ];
}

function pcsTie(tie: Tie): string[] {
  const { id, resource } = tie;
  switch (tie.kind) {
    case 'stops-first':
    case 'starts-first': {
      const action = tie.kind === 'stops-first' ? 'stop' : 'start';
      const options = ['kind=Optional', 'symmetrical=false', `id=${id}`];
      return ['order', action, resource, 'then', 'stop', tie.other, ...options];
    }
    case 'only-with':
      return ['colocation', 'add', resource, 'with', tie.other, 'INFINITY', `id=${id}`];
    case 'never-where': {
      const rule = tie.isNot.flatMap(([name, value], at) => [
        ...(at === 0 ? [] : ['and']),
        name,
        'ne',
        value,
      ]);
      return [
        'location',
        resource,
        'rule',
        `id=${id}-rule`,
        `constraint-id=${id}`,
        'score=-INFINITY',
        ...rule,
      ];
    }
  }
}

/** Into the cluster goes what differs from `before`, and nothing else. */
export function pcsPush(file: string, before: string): Argv {
  return ['pcs', 'cluster', 'cib-push', file, `diff-against=${before}`];
}

function pcsPrimitive(primitive: Primitive): string[] {
  const { id, parameters, operations, meta } = primitive;
  return [
    id,
    agentOf(primitive),
    ...parameters.map(assigned),
    ...operations.flatMap((operation) => ['op', operation.name, ...operationPairs(operation).map(assigned)]),
    ...(meta.length === 0 ? [] : ['meta', ...meta.map(assigned)]),
    '--no-default-ops',
  ];
}

function assigned([name, value]: Pair): string {
  return `${name}=${value}`;
}

function operationPairs({ interval, timeout, depth, onFail }: Operation): Pair[] {
  return [
    ['interval', `${interval}s`],
    ['timeout', `${timeout}s`],
    ...(onFail === undefined ? [] : [['on-fail', onFail] as const]),
    ...(depth === undefined ? [] : [['OCF_CHECK_LEVEL', `${depth}`] as const]),
  ];
}

/** The same for "crm configure load update". Throws CLUSTER_UNFIT for what crmsh does not read as it is written. */
export function crmText({ resources, orders, preferences, ties }: ClusterConfig): string {
  const lines = [
    ...resources.flatMap((resource) => [
      ...primitivesOf(resource).map((one) => crmPrimitive(one)),
      ...(isGroup(resource)
        ? [`group ${resource.id} ${resource.members.map(({ id }) => id).join(' ')}${crmMeta(resource.meta)}`]
        : []),
      ...(isClone(resource) ? [`clone ${resource.id} ${resource.instance.id}${crmMeta(resource.meta)}`] : []),
    ]),
    ...preferences.map(
      ({ id, resource, node, score }) => `location ${id} ${resource} ${score}: ${crmValue(node)}`,
    ),
    ...orders.map(({ id, one, other }) => `order ${id} Serialize: ${one}:start ${other}:start`),
    ...ties.map(crmTie),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function crmTie(tie: Tie): string {
  const { id, resource } = tie;
  switch (tie.kind) {
    case 'stops-first':
    case 'starts-first': {
      const action = tie.kind === 'stops-first' ? 'stop' : 'start';
      return `order ${id} Optional: ${resource}:${action} ${tie.other}:stop symmetrical=false`;
    }
    case 'only-with':
      return `colocation ${id} inf: ${resource} ${tie.other}`;
    case 'never-where': {
      const rule = tie.isNot.map(([name, value]) => `${name} ne ${crmValue(value)}`).join(' and ');
      return `location ${id} ${resource} rule $id="${id}-rule" -inf: ${rule}`;
    }
  }
}

const crmFold = ' \\\n  ';

function crmPrimitive(primitive: Primitive): string {
  const { id, parameters, operations, meta } = primitive;
  const ops = operations.map(
    (operation) => `${crmFold}op ${operation.name} ${crmPairs(operationPairs(operation))}`,
  );
  return `primitive ${id} ${agentOf(primitive)}${crmFold}params ${crmPairs(parameters)}${ops.join('')}${crmMeta(meta)}`;
}

function crmMeta(meta: readonly Pair[]): string {
  return meta.length === 0 ? '' : `${crmFold}meta ${crmPairs(meta)}`;
}

function crmPairs(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${name}=${crmValue(value)}`).join(' ');
}

/** crmsh reads words as shlex does, makes character references of all that is not ASCII, and joins lines at a backslash (seen: 4.4.1). */
function crmValue(value: string): string {
  if (/^[\w./:,@+=-]+$/.test(value)) return value;
  const isRead = /^[\u0020-\u007e]+$/.test(value) && !/\\$|\\.*"|".*\\/.test(value);
  if (isRead) return `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
  throw unfit(
    `crm does not read ${JSON.stringify(value)} as it is written`,
    'Use --format pcs or --format xml, or a path in ASCII without backslashes.',
  );
}
