import { isManaged } from '../../../config/floating-ip.js';
import { takesOffAddresses } from '../../../host/settings/network-managers.js';
import { type AddressSite, type Check, isFromNode, ok, warning } from '../check.js';

/** That the address stays where it is put. */
export const networkCheck: Check<AddressSite> = {
  name: 'network',
  text: 'whether systemd-networkd or NetworkManager looks after the interface, and would take off an address that it has not put there',
  look: async (site) => {
    const { ip, reader } = site;
    if (!isFromNode(site))
      return [ok('its instance has a network of its own, which nobody else looks after')];
    if (isManaged(ip, 'address')) return [ok('the address is brought up by others (managed_by_others)')];
    const found = takesOffAddresses(reader.host, ip.interface);
    if (found === undefined) return [ok(`nobody takes a foreign address off ${ip.interface}`)];
    return [
      warning(
        `${found.name} looks after ${ip.interface}, and takes ${ip.address} off ${found.when}`,
        found.hint,
      ),
    ];
  },
};
