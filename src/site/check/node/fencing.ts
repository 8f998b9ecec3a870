import { pacemakerHere } from '../../../fencing/pacemaker/pacemaker.js';
import { whyUnfit } from '../../../host/way.js';
import { unitState } from '../../unit/unit-state.js';
import { type Check, failure, type Finding, type NodeSite, orElse, warning } from '../check.js';

/** Who would prove, at a takeover from a node that has not released an address, that this node is down. */
export const fencingCheck: Check<NodeSite> = {
  name: 'fencing',
  text: 'the command of [fencing]: that it is there, that nobody but root can write to it or put another in its place, and that no unit that starts at boot would run it; where Pacemaker runs here: that fencing is on and takes the power, and that it calls this node as the configuration does',
  look: async (site) => {
    const { host, config } = site.reader;
    const { command } = config.fencing;
    const ofCommand = command === undefined ? [] : await commandFindings(site, command[0]);
    const pacemaker = await pacemakerHere(host, config.node);
    const ofPacemaker = (pacemaker ?? []).map((wrong) =>
      warning(
        `of a takeover by Pacemaker (--resource) nothing would be proved: ${wrong}`,
        'See FENCING in nlm-failover(8).',
      ),
    );
    const who = [
      ...(command === undefined ? [] : [command[0]]),
      ...(pacemaker === undefined ? [] : ['Pacemaker']),
    ];
    return orElse(
      [...ofCommand, ...ofPacemaker],
      who.length === 0
        ? 'nobody proves it: takeover from a node that is dead wants --fenced'
        : who.join(', '),
    );
  },
};

async function commandFindings(
  { reader: { host }, addresses }: NodeSite,
  program: string,
): Promise<Finding[]> {
  const unfit = await whyUnfit(host.path(program));
  const found: Finding[] =
    unfit === undefined
      ? []
      : [
          failure(
            `the command (${program}) would not be run: ${unfit}`,
            'Make it an executable file that belongs to root, in directories that do, and that nobody else can write.',
          ),
        ];
  for (const { ip } of addresses) {
    const unit = await unitState(host, ip.address);
    if (unit?.file !== 'enabled') continue;
    found.push(
      warning(
        `${unit.unit} starts at boot, and its takeover runs the command for the node that has the address`,
        `Let it be enabled on one node at the most, or keepalived start it: systemctl disable ${unit.unit}`,
      ),
    );
  }
  return found;
}
