import { all, childrenOf, type Element, idOf } from './cib/xml.js';

/** What is worth a look, and stops nothing. */
export interface Remark {
  readonly level: 'WARNING' | 'NOTE';
  readonly message: string;
  readonly hint: string;
}

const fencingHint =
  'A node that is not proved to be down may still write: two nodes that mount one file system destroy it. Configure a fencing device for each node, and never turn fencing off.';

/** What the cluster says of fencing; `cib` undefined: nobody could be asked. */
export function fencingRemarks(cib: Element | undefined): readonly Remark[] {
  if (cib === undefined) {
    return [
      {
        level: 'NOTE',
        message: 'No cluster was asked here whether fencing is on',
        hint: fencingHint,
      },
    ];
  }
  // Since Pacemaker 3.0.2 the name is fencing-enabled; the default of both is true.
  const off = ['stonith-enabled', 'fencing-enabled'].filter((name) => isFalse(property(cib, name)));
  if (off.length > 0)
    return [{ level: 'WARNING', message: `Fencing is off (${off.join(', ')}=false)`, hint: fencingHint }];
  const hasDevice = all(cib).some(
    ({ name, attributes }) => name === 'primitive' && attributes['class'] === 'stonith',
  );
  const hasWatchdog =
    cib.attributes['have-watchdog'] === 'true' &&
    !['', '0', '0s'].includes(property(cib, 'stonith-watchdog-timeout') ?? '');
  if (hasDevice || hasWatchdog) return [];
  return [
    {
      level: 'WARNING',
      message:
        'Fencing is on, and the cluster has no fencing device: nothing starts (Pacemaker), and no node can be fenced',
      hint: fencingHint,
    },
  ];
}

/** An address of what every node exports is served well only where its node's server is watched, which is not of this command. */
export function sharedRemarks(
  floatingIps: readonly { readonly address: string; readonly shared?: unknown }[],
): readonly Remark[] {
  const shared = floatingIps.filter((ip) => ip.shared !== undefined).map(({ address }) => address);
  if (shared.length === 0) return [];
  return [
    {
      level: 'NOTE',
      message: `Every node exports what ${shared.join(', ')} ${shared.length === 1 ? 'serves' : 'serve'}, and nothing of this command watches NFS-Ganesha`,
      hint: 'Let nlm-failover ganesha-ha setup write these: SHARED FILE SYSTEMS in nlm-failover(8).',
    },
  ];
}

/** What keeps the cluster from starting what it has, and stays so: somebody meant it. */
export function stillRemarks(cib: Element, ids: readonly string[]): readonly Remark[] {
  const remarks: Remark[] = [];
  const note = (message: string, hint: string) => remarks.push({ level: 'NOTE', message, hint });
  if (isTrue(property(cib, 'maintenance-mode')))
    note(
      'The cluster is in maintenance mode, and starts and stops nothing',
      'End that with: crm_attribute --type crm_config --name maintenance-mode --delete',
    );
  for (const id of ids) {
    const top = all(cib).find((one) => ['primitive', 'group'].includes(one.name) && idOf(one) === id);
    if (top === undefined) continue;
    for (const one of [top, ...childrenOf(top, 'primitive')]) {
      const [name, value] = stillOf(one) ?? [];
      if (name === undefined) continue;
      note(
        name === 'target-role'
          ? `${idOf(one)} is disabled (target-role=${value}), and is not started`
          : `${idOf(one)} is not managed (${name}=${value}): the cluster neither starts nor stops it`,
        `End that with: crm_resource --resource ${idOf(one)} --meta --delete-parameter ${name}`,
      );
    }
  }
  return remarks;
}

/** The meta attribute that keeps a resource as it is, with its value. */
function stillOf(one: Element): readonly [name: string, value: string] | undefined {
  const pairs = childrenOf(one, 'meta_attributes')
    .flatMap((set) => childrenOf(set, 'nvpair'))
    .map(({ attributes: { name = '', value = '' } }) => [name, value] as const);
  return pairs.find(
    ([name, value]) =>
      (name === 'target-role' && value === 'Stopped') ||
      (name === 'is-managed' && isFalse(value)) ||
      (name === 'maintenance' && isTrue(value)),
  );
}

/** A node to come home to that the cluster does not know. */
export function preferRemarks(cib: Element, prefer: string | undefined): readonly Remark[] {
  const names = all(cib)
    .filter(({ name }) => name === 'node')
    .flatMap(({ attributes: { uname } }) => uname ?? []);
  if (prefer === undefined || names.length === 0 || names.includes(prefer)) return [];
  return [
    {
      level: 'WARNING',
      message: `The cluster has no node ${prefer}: it has ${names.join(', ')}`,
      hint: 'Nothing comes home before there is one of that name. Where it is a slip, run the command again with the right name.',
    },
  ];
}

/** A property of the cluster (crm_config). */
function property(cib: Element, name: string): string | undefined {
  return all(cib)
    .filter((one) => one.name === 'cluster_property_set')
    .flatMap((set) => childrenOf(set, 'nvpair'))
    .find(({ attributes }) => attributes['name'] === name)?.attributes['value'];
}

/** As Pacemaker reads a boolean (lib/common/strings.c, crm_str_to_boolean). */
function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(?:true|on|yes|y|1)$/i.test(value);
}

function isFalse(value: string | undefined): boolean {
  return value !== undefined && /^(?:false|off|no|n|0)$/i.test(value);
}
