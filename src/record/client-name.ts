/**
 * The bytes of a client's name, node's name and fsid that may enter the record.
 * callouts/ha-callout has the same rules in shell; a test holds the two together.
 */

/** A host name or an address as text, of 1 to 255 bytes. */
export const clientNamePattern = '[A-Za-z0-9:][A-Za-z0-9._:%-]{0,254}';
/** An integer, or a UUID. */
export const fsidPattern = '[0-9A-Fa-f][0-9A-Fa-f-]{0,35}';
/** A node's name, which is also the ending of its journal's file name. */
export const nodePattern = '[A-Za-z0-9][A-Za-z0-9._-]{0,63}';

const clientName = new RegExp(`^${clientNamePattern}$`, 'u');
const node = new RegExp(`^${nodePattern}$`, 'u');

/** True if `name` may be recorded as a client. Names come from the network: treat as hostile what is not. */
export function isClientName(name: string): boolean {
  return clientName.test(name);
}

/** True if `name` may be a node's name. */
export function isNodeName(name: string): boolean {
  return node.test(name);
}
