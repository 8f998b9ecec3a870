import { isManaged } from '../../../config/floating-ip.js';
import { whoAnswers } from '../../../host/actions/answering.js';
import { lookAtActions } from '../../../failover/operations/preflight.js';
import { addressUp } from '../../../host/actions/address.js';
import { lookAtCarrier, lookAtLink } from '../../../host/actions/looks.js';
import { placesOf } from '../../../host/reading/addresses.js';
import {
  type AddressSite,
  type Check,
  failure,
  type Finding,
  isFromNode,
  ofObstacle,
  ok,
  orElse,
  warning,
} from '../check.js';

/** B-4 (floating IP up): the interface, and that the address is ours or nobody's. */
export const addressCheck: Check<AddressSite> = {
  name: 'address',
  text: 'B-4 (floating IP up): the interface is there and up; the address is up here, or nobody in the network answers for it, or the node that owns it does (ARP probe; IPv6: neighbour discovery)',
  look: async (site) => {
    const { ip, reader, context } = site;
    const { host } = reader;
    const isInside = !isFromNode(site) && context.driver.absence() === undefined;
    const [place] = isInside
      ? await placesOf(context.driver.host, ip.address, context.driver.interface)
      : await placesOf(host, ip.address, ip.interface);
    const found = isManaged(ip, 'address') ? [] : await atItsLink(site);
    if (found.length > 0) return found;
    // A takeover would do it, and nobody would be served.
    const carrier = isFromNode(site) ? await lookAtCarrier(host, ip.interface) : undefined;
    if (carrier !== undefined) return [ofObstacle(carrier)];
    if (place !== undefined) return [ok(`up on ${place.interface}${isInside ? ' of its instance' : ''}`)];
    return orElse(await elsewhere(site), `${ip.interface} is up, and the address is nobody's`);
  },
};

async function atItsLink(site: AddressSite): Promise<readonly Finding[]> {
  const { ip, reader, context, module } = site;
  // An instance is looked into by its driver; on the node the address must not be.
  if (isFromNode(site))
    return (await lookAtActions([addressUp(ip)], context, { asksNames: false })).map(ofObstacle);
  const mistakes = module.mistakes?.({ ...reader, floatingIp: ip }) ?? [];
  if (mistakes.length > 0)
    return mistakes.map((one) =>
      failure(one, 'Correct "interface" or "bridge"; "ip -br link" lists what there is.'),
    );
  return (await lookAtLink(reader.host, ip.interface)).map(ofObstacle);
}

async function elsewhere({ ip, reader: { host }, standing }: AddressSite): Promise<readonly Finding[]> {
  const { where, because } = standing;
  if (host.kind === 'rehearsal') return [];
  const answer = await whoAnswers(host, ip);
  if ('why' in answer)
    return [
      warning(
        `whether somebody has ${ip.address} was not asked: ${answer.why}`,
        'Install arping, or iputils-ping.',
      ),
    ];
  const { who } = answer;
  const said = `${who ?? 'nobody'} answers for ${ip.address} on ${ip.interface}`;
  if (who === undefined)
    return where === 'elsewhere'
      ? [
          failure(
            `${said}, and ${because}: a takeover without --fenced refuses`,
            `See how it is on that node: nlm-failover status ${ip.address}. If it is dead for certain, or it was this node that crashed: nlm-failover takeover --fenced ${ip.address}.`,
          ),
        ]
      : [];
  if (where === 'elsewhere') return [ok(`${said}: ${because}`)];
  const hint = `Find out who that is ("ip neighbour", the switch): two hosts with one address serve neither.`;
  return where === 'unknown'
    ? [warning(`${said}, and whether that is the node that serves it cannot be seen: ${because}`, hint)]
    : [failure(`${said}, though ${because}`, hint)];
}
