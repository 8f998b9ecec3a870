import { isIP, isIPv4 } from 'node:net';
import { isNodeName, nodeNameRule } from '../names.js';
import { Wrong } from './problem.js';

// Every name that comes in from outside is judged here, once: behind this border a name is a host name,
// a file name without surprises or a single argument, and never looked at again.

/**
 * RFC 952 and RFC 1123 section 2.1: letters, digits, inner hyphens, at most 63 bytes; with the underscore, which servers have in practice and
 * clients mount from.
 */
const HOST_LABEL = /^[A-Za-z0-9_](?:[\w-]{0,61}[A-Za-z0-9_])?$/;
/** RFC 1035 section 2.3.4 leaves 253 characters for the text form. */
const HOST_NAME_MAX = 253;
/** IFNAMSIZ is 16 with the final NUL. */
const INTERFACE_BYTES_MAX = 15;
/** What the kernel's dev_valid_name() refuses, and control bytes. */
const NOT_IN_INTERFACE = /[\s/:\u0000-\u001f\u007f]/;

/** A host name, such as nfs1.example.com; an address is not one, and neither is a name with a final dot. */
export function isHostName(text: string): boolean {
  // No label has a colon, as each IPv6 address; to ask for one takes Node 4 ms the first time.
  return text.length <= HOST_NAME_MAX && !isIPv4(text) && text.split('.').every((l) => HOST_LABEL.test(l));
}

/** What the kernel accepts as a network interface's name, unless it would be read as an option. */
export function isInterfaceName(text: string): boolean {
  return (
    text !== '' &&
    text !== '.' &&
    text !== '..' &&
    !text.startsWith('-') &&
    !NOT_IN_INTERFACE.test(text) &&
    Buffer.byteLength(text) <= INTERFACE_BYTES_MAX
  );
}

/** What every host calls itself (RFC 6761 section 6.3; hosts files also say localhost4 and localhost6). */
const LOCALHOST = /^localhost[46]?(?:[.]|$)/i;

/** `node`, or the reason why it cannot be one. */
export function readNodeName(text: string): string | Wrong {
  if (LOCALHOST.test(text)) {
    return new Wrong(
      'every host is "localhost" to itself, so it names no node; give each node a name of its own',
    );
  }
  return isNodeName(text) ? text : new Wrong(nodeNameRule);
}

/** `floating_ip.names[]`, or the reason why it cannot be one. */
export function readHostName(text: string): string | Wrong {
  if (isHostName(text)) return text;
  if (isIP(text) !== 0) return new Wrong('a host name is wanted; the address itself is sent without asking');
  return new Wrong(
    'a host name is letters, digits, "_" and inner "-" between dots, such as "nfs1.example.com"',
  );
}

/** `floating_ip.interface`, or the reason why it cannot be one. */
export function readInterfaceName(text: string): string | Wrong {
  return isInterfaceName(text)
    ? text
    : new Wrong(
        'an interface name is 1 to 15 bytes without blanks, "/" and ":" and no leading "-", such as "eth0"',
      );
}
