import { Wrong } from './problem.js';

const CONTROL = /[\u0000-\u001f\u007f]/;
/** The tags of fstab(5) that name a device by what is written on it, or by what udev calls it. */
const DEVICE_TAG = /^(UUID|LABEL|PARTUUID|PARTLABEL|ID)=(.*)$/is;
/** fstab(5) writes a blank as \040. */
const OCTAL = /\\([0-7]{3})/g;

/**
 * An absolute path without its trailing slashes, or the reason why it cannot be one. Paths are compared
 * as text with the kernel's tables, which are always normalised, so ".", ".." and "//" are refused.
 */
export function readPath(text: string): string | Wrong {
  if (CONTROL.test(text)) return new Wrong('a path has no control characters');
  if (text.search(OCTAL) !== -1) return new Wrong('write a blank as it is: "\\040" is for /etc/fstab');
  if (!text.startsWith('/')) return new Wrong('write an absolute path, one that begins with "/"');
  const path = text.replace(/\/+$/, '') || '/';
  const parts = path.split('/').slice(1);
  if (path !== '/' && parts.some((part) => part === '' || part === '.' || part === '..')) {
    return new Wrong('write the path without "//", "." and ".."');
  }
  return path;
}

/** `filesystem.mountpoint`: a path, but not "/", which cannot be unmounted. */
export function readMountpoint(text: string): string | Wrong {
  const path = readPath(text);
  return path === '/' ? new Wrong('"/" cannot move to another node; write a mount point below it') : path;
}

/**
 * `filesystem.device`: an absolute path, or UUID=... or LABEL=... as fstab(5) takes them, which also knows quotes and \040. The
 * tag comes back without both, in upper case, and UUIDs in lower case: `LABEL=my data`.
 */
export function readDevice(text: string): string | Wrong {
  const [, tag, given = ''] = DEVICE_TAG.exec(text) ?? [];
  if (tag !== undefined) {
    const value = readTagValue(given);
    if (value === undefined) return new Wrong(deviceWanted);
    const name = tag.toUpperCase();
    return `${name}=${name.endsWith('UUID') ? value.toLowerCase() : value}`;
  }
  const path = readPath(text);
  if (typeof path === 'string' && path !== '/') return path;
  return new Wrong(deviceWanted);
}

const deviceWanted = 'write an absolute path without "//", "." and "..", or UUID=... or LABEL=...';

function readTagValue(text: string): string | undefined {
  const [, , quoted] = /^(["'])(.*)\1$/s.exec(text) ?? [];
  if (quoted === undefined && /["'`]/.test(text)) return undefined;
  const value = (quoted ?? text).replace(OCTAL, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );
  return value === '' || CONTROL.test(value) ? undefined : value;
}
