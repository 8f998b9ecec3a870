import type { FloatingIp } from '../../../config/config.js';
import { isManaged, volumesOf } from '../../../config/floating-ip.js';
import { planRelease, planTakeover } from '../../../failover/plan.js';
import { isInstalled } from '../../../host/running/command.js';
import { type AddressSite, type Check, failure, type NodeSite, ok, warning } from '../check.js';

interface Program {
  readonly name: string;
  /** The package that brings it, by Debian's name. */
  readonly from: string;
  readonly isNeeded: (ip: FloatingIp) => boolean;
  /** What is not done without it, where a failover goes on all the same. */
  readonly without?: string;
}

const always = () => true;

/** Beside those that the steps name themselves. */
const programs: readonly Program[] = [
  { name: 'ip', from: 'iproute2', isNeeded: always },
  { name: 'ss', from: 'iproute2', isNeeded: always },
  { name: 'umount', from: 'mount', isNeeded: (ip) => !isManaged(ip, 'mount') },
  { name: 'dd', from: 'coreutils', isNeeded: always },
  { name: 'tee', from: 'coreutils', isNeeded: always },
  { name: 'stat', from: 'coreutils', isNeeded: always },
  {
    name: 'arping',
    from: 'arping or iputils-arping',
    isNeeded: (ip) => ip.family === 4 && !isManaged(ip, 'address'),
    without: 'the neighbours are not told that the address has moved, and clients wait for their ARP cache',
  },
  {
    name: 'blkid',
    from: 'util-linux',
    isNeeded: (ip) => volumesOf(ip).some(({ device }) => /^[A-Z]+=/.test(device)),
  },
  {
    name: 'e2mmpstatus',
    from: 'e2fsprogs',
    isNeeded: (ip) => volumesOf(ip).some(({ type }) => type === 'ext4'),
    without: 'a mount that multiple mount protection refuses does not say which node has the volume',
  },
  ...['setpriv', 'nsenter'].map((name): Program => ({
    name,
    from: 'util-linux',
    isNeeded: always,
    without: 'whether rpc.statd can run its callout is not tried',
  })),
];

/** Every program that a release or a takeover of these addresses runs. */
export const programsCheck: Check<NodeSite> = {
  name: 'programs',
  text: 'every program that a release or takeover of the addresses runs: mount, ip, exportfs, arping... and what the lock manager needs',
  look: async ({ reader, addresses }) => {
    if (reader.host.kind === 'rehearsal') return [ok('a rehearsal needs none')];
    const ofSteps = new Set(addresses.flatMap(programsOfSteps));
    const others = programs.filter(({ isNeeded }) => addresses.some(({ ip }) => isNeeded(ip)));
    const missing = others.filter(({ name }) => !isInstalled(name));
    const found = [
      ...[...ofSteps]
        .filter((name) => !isInstalled(name) && !missing.some((one) => one.name === name))
        .map((name) =>
          failure(`${name} is not installed, or not on PATH`, 'Install the package that brings it.'),
        ),
      ...missing.map(({ name, from, without }) =>
        without === undefined
          ? failure(`${name} is not installed, or not on PATH`, `Install ${from}.`)
          : warning(`${name} is not installed, or not on PATH: ${without}`, `Install ${from}.`),
      ),
    ];
    const all = new Set([...ofSteps, ...others.map(({ name }) => name)]);
    return found.length > 0 ? found : [ok(`all ${all.size} are here`)];
  },
};

function programsOfSteps({ ip, reader, context: { driver } }: AddressSite): string[] {
  const plans = [
    planRelease(ip, driver),
    planTakeover(ip, driver, { node: reader.config.node, order: 'safe' }),
  ];
  const actions = plans.flatMap(({ steps }) => steps.flatMap((step) => step.actions));
  return actions.flatMap((action) => action.programs ?? []);
}
