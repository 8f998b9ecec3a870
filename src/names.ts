/**
 * The bytes of a client's name, node's name and fsid that may enter the record.
 * callouts/ha-callout has the same rules in shell; a test holds the two together.
 */

/** A host name or an address as text, of 1 to 255 bytes. */
export const clientNamePattern = '[A-Za-z0-9:][A-Za-z0-9._:%-]{0,254}';
/** An integer, or a UUID. */
export const fsidPattern = '[0-9A-Fa-f][0-9A-Fa-f-]{0,35}';
/** A node's name, also the ending of its journal's file name: nothing in it can leave a directory or hide in a listing. */
export const nodePattern = '[A-Za-z0-9][A-Za-z0-9._-]{0,62}';
/** The rule as a sentence, for messages. */
export const nodeNameRule =
  'a node name is 1 to 63 letters, digits, ".", "_" and "-", and begins with a letter or digit';

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

/** Foreign bytes (latin1) as text that is safe on a terminal and in JSON: what is not printable ASCII as \xNN. */
export function escapeBytes(text: string, limit: number): string {
  const cut = text.length > limit ? text.slice(0, limit) : text;
  const safe = cut.replaceAll(
    /[^ -[\]-~]/gu,
    (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return cut.length < text.length ? `${safe}...` : safe;
}
