import { all, childrenOf, type Element } from './cib/xml.js';

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

/** A property of the cluster (crm_config). */
function property(cib: Element, name: string): string | undefined {
  return all(cib)
    .filter((one) => one.name === 'cluster_property_set')
    .flatMap((set) => childrenOf(set, 'nvpair'))
    .find(({ attributes }) => attributes['name'] === name)?.attributes['value'];
}

/** As Pacemaker reads a boolean (lib/common/strings.c, crm_str_to_boolean). */
function isFalse(value: string | undefined): boolean {
  return value !== undefined && /^(?:false|off|no|n|0)$/i.test(value);
}
