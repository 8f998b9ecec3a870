import { parseXml, XmlElement } from '@rgrove/parse-xml';

// What Pacemaker's tools print, as values. Formats: xml/api/fence-event-2.15.rng, xml/cib-*.rng, and lib/pengine/unpack.c (node_state) of
// Pacemaker; nothing here is believed that is not in that form.

/** Of a node, as the CIB's status section has it. */
export interface NodeState {
  readonly id: string;
  readonly name: string;
  /** Whether it is a member of the cluster's membership (in_ccm). Undefined: it does not say. */
  readonly isMember: boolean | undefined;
  /** Whether its controller is there (crmd). */
  readonly isOnline: boolean;
  readonly join: string | undefined;
  readonly expected: string | undefined;
}

/** One entry of the fencing history. */
export interface FenceEvent {
  readonly status: 'success' | 'failed' | 'pending';
  /** reboot, off, on. */
  readonly action: string;
  readonly target: string;
  /** Which node did it; "a human" where somebody confirmed it (stonith_admin --confirm; fenced_remote.c). */
  readonly delegate: string | undefined;
  /** ms since 1970; undefined: not completed, or not to be read. */
  readonly completed: number | undefined;
}

/** Actions that take the power of a node, and so end whatever it had. */
export const takesPower: ReadonlySet<string> = new Set(['off', 'reboot']);

/** What the configuration says of all fence devices. */
export interface FenceDevices {
  /** Each agent once: "fence_ipmilan"; of a plugin of cluster-glue its name, "external/ipmi". */
  readonly agents: readonly string[];
  /** Each device by its id, as a level of a topology names it. */
  readonly byId: ReadonlyMap<string, string>;
  /** A value of one is taken from elsewhere (id-ref of an nvpair), and not seen here. */
  readonly isElsewhere: boolean;
  /** network-fencing of fence_azure_arm, where it is not off. */
  readonly networkFencing: boolean;
  /** What is done instead of an action, where somebody has set it: pcmk_off_action, pcmk_reboot_action, action. */
  readonly actions: readonly { readonly name: string; readonly value: string }[];
  /** Whether one has the meta attribute provides=unfencing. */
  readonly isUnfencing: boolean;
}

/** A level of a fencing topology: all of its devices fence the nodes that it is for. */
export interface FenceLevel {
  readonly devices: readonly string[];
  /** A node's name, or what names match; undefined: by an attribute of the node. */
  readonly target: string | RegExp | undefined;
}

/** What a fence agent says of itself. */
export interface FenceAgent {
  readonly agent: string;
  /** Whether the cluster must unfence a node before it can be used again. */
  readonly isUnfencing: boolean;
}

/** Throws an Error where the text is not well-formed, or is no answer of these tools. */
function elementsOf(text: string, name: string): XmlElement[] {
  const root = parseXml(text).root;
  if (root === null) throw new Error('it has no element');
  return elementsIn(root, name);
}

/** An element, and all below it, of that name. */
function elementsIn(root: XmlElement, name: string): XmlElement[] {
  const found: XmlElement[] = [];
  const visit = (element: XmlElement): void => {
    if (element.name === name) found.push(element);
    for (const child of element.children) if (child instanceof XmlElement) visit(child);
  };
  visit(root);
  return found;
}

function pairsOf(elements: readonly XmlElement[]): { readonly name: string; readonly value: string }[] {
  return elements.map(({ attributes: { name = '', value = '' } }) => ({ name, value }));
}

/** What `cibadmin --query --xpath //node_state --no-children` prints: one element, or several in <xpath-query>. */
export function readNodeStates(text: string): NodeState[] {
  return elementsOf(text, 'node_state').map(({ attributes }) => ({
    id: attributes['id'] ?? '',
    name: attributes['uname'] ?? '',
    isMember: isMember(attributes['in_ccm']),
    isOnline: isOnline(attributes['crmd']),
    join: attributes['join'],
    expected: attributes['expected'],
  }));
}

/** unpack_node_member: a boolean, or since feature set 3.18.0 (2.1.7) the time since when, 0 for not. */
function isMember(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  return readBoolean(text) ?? (/^\d+$/.test(text) ? Number(text) > 0 : undefined);
}

/** unpack_node_online: online or offline, or the time since when. What it does not know counts as online here: only who is certainly away is down. */
function isOnline(text: string | undefined): boolean {
  return text !== undefined && text.toLowerCase() !== 'offline' && text !== '0';
}

/** The ids of the nodes whose resource history the CIB has: `cibadmin --query --xpath //node_state/lrm --no-children`. */
export function readHistoryOwners(text: string): string[] {
  return elementsOf(text, 'lrm').map(({ attributes }) => attributes['id'] ?? '');
}

/** The names of the nodes of the configuration: `cibadmin --query --xpath //nodes/node --no-children`. */
export function readNodeNames(text: string): string[] {
  return elementsOf(text, 'node').map(({ attributes }) => attributes['uname'] ?? '');
}

/** What `stonith_admin --history NODE --verbose --output-as=xml` prints. */
export function readFenceEvents(text: string): FenceEvent[] {
  return elementsOf(text, 'fence_event').flatMap(({ attributes }) => {
    const { status, action = '', target = '', delegate, completed } = attributes;
    if (status !== 'success' && status !== 'failed' && status !== 'pending') return [];
    return [{ status, action, target, delegate, completed: readTime(completed) }];
  });
}

/**
 * `cibadmin --query --xpath //resources`. Of devices, and of templates of devices; values are looked for in all of it, as a set may be shared
 * (id-ref), and their names mean nothing elsewhere. "action" does, so it counts in a device alone, or wherever sets are shared: the device is
 * given it in place of what was asked for (seen with pacemaker-fenced 2.1.5: action=diag, and "reboot" succeeded).
 */
export function readFenceDevices(text: string): FenceDevices {
  const devices = ['primitive', 'template'].flatMap((name) => elementsOf(text, name));
  const pairs = pairsOf(elementsOf(text, 'nvpair'));
  const isShared = elementsOf(text, 'instance_attributes').some(({ attributes }) => 'id-ref' in attributes);
  const stonith = devices.filter(({ attributes }) => attributes['class'] === 'stonith');
  const ofDevices = pairsOf(stonith.flatMap((device) => elementsIn(device, 'nvpair')));
  const agentOf = (device: XmlElement) =>
    pairsOf(elementsIn(device, 'nvpair')).find(({ name }) => name === 'plugin')?.value ??
    device.attributes['type'] ??
    '';
  const templates = new Map(stonith.map((one) => [one.attributes['id'] ?? '', agentOf(one)]));
  return {
    agents: [...new Set(stonith.map((one) => agentOf(one)))],
    byId: new Map(
      devices.flatMap((one) => {
        const { id = '', template = id } = one.attributes;
        const agent = templates.get(template);
        return agent === undefined ? [] : [[id, agent] as const];
      }),
    ),
    actions: [
      ...pairs.filter(({ name }) => ['pcmk_off_action', 'pcmk_reboot_action'].includes(name)),
      ...(isShared ? pairs : ofDevices).filter(({ name }) => name === 'action'),
    ],
    isElsewhere: devices
      .filter(({ attributes: { id = '', template = id } }) => templates.has(template))
      .some((device) => elementsIn(device, 'nvpair').some(({ attributes }) => 'id-ref' in attributes)),
    networkFencing: pairs.some(
      ({ name, value }) => name.replace('_', '-') === 'network-fencing' && readBoolean(value) !== false,
    ),
    isUnfencing: pairs.some(({ name, value }) => name === 'provides' && value.toLowerCase() === 'unfencing'),
  };
}

/** `cibadmin --query --xpath //fencing-topology`; nothing where there is none (fencing-1.3.rng: `devices` with commas between them). */
export function readFenceLevels(text: string): FenceLevel[] {
  if (text.trim() === '') return [];
  return elementsOf(text, 'fencing-level').map(({ attributes }) => ({
    devices: (attributes['devices'] ?? '').split(',').map((one) => one.trim()),
    target: attributes['target'] ?? regularExpression(attributes['target-pattern']),
  }));
}

/** A pattern matches anywhere in a name (fenced_commands.c, topology_matches). */
function regularExpression(text: string | undefined): RegExp | undefined {
  if (text === undefined) return undefined;
  try {
    return new RegExp(text);
  } catch {
    return undefined; // of some other kind than those of ECMAScript
  }
}

/** `stonith_admin --metadata --agent AGENT`; "required" is an old word for automatic (fenced_commands.c, read_action_metadata). */
export function readUnfencing(text: string): boolean {
  return elementsOf(text, 'action').some(
    ({ attributes: { name, automatic = '', required = '' } }) =>
      name === 'on' && (readBoolean(automatic) === true || readBoolean(required) === true),
  );
}

/** "2026-11-27 14:48:15Z" (2.1.5), "2026-11-27 14:48:15.123456 +01:00": with its zone, or it is none. */
export function readTime(text: string | undefined): number | undefined {
  const found = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,9})? ?(Z|[+-]\d\d:?\d\d)$/.exec(text ?? '');
  if (found === null) return undefined;
  const [, day, time, fraction = '', zone = 'Z'] = found;
  const at = Date.parse(
    `${day}T${time}${fraction.slice(0, 4)}${zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')}`,
  );
  return Number.isNaN(at) ? undefined : at;
}

/** crm_is_true, crm_str_to_boolean. Undefined: it is no boolean. */
export function readBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (['true', 'on', 'yes', 'y', '1'].includes(word)) return true;
  return ['false', 'off', 'no', 'n', '0'].includes(word) ? false : undefined;
}
