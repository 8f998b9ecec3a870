/** The unit that takes an address over at boot and releases it at shutdown (systemd.unit(5)). */
export const unitTemplate = 'nlm-failover@.service';

/** The unit that answers calls into grace, for all addresses whose file systems every node exports. */
export const watchUnit = 'nlm-failover-join-grace.service';

/** nlm-failover@10.10.1.1.service; the letters of an address mean themselves there (systemd-escape(1)). */
export function unitOf(address: string): string {
  return unitTemplate.replace('@', `@${address}`);
}

/** Where systemd looks for what is said of the unit of one address, and of no other. */
export function unitDropIns(address: string): string {
  return `/etc/systemd/system/${unitOf(address)}.d`;
}
