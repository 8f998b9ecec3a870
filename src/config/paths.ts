import { Wrong } from './problem.js';

const CONTROL = /[\u0000-\u001f\u007f]/;
/** The tags of mount(8) that name a device by what is written on it. */
const DEVICE_TAG = /^(?:UUID|LABEL|PARTUUID|PARTLABEL)=[^\s'"`\\\u0000-\u001f\u007f]+$/;

/**
 * An absolute path without its trailing slashes, or the reason why it cannot be one. Paths are compared
 * as text with the kernel's tables, which are always normalised, so ".", ".." and "//" are refused.
 */
export function readPath(text: string): string | Wrong {
  if (CONTROL.test(text)) return new Wrong('a path has no control characters');
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

/** `filesystem.device`: an absolute path, or UUID=... or LABEL=... as mount(8) takes them. */
export function readDevice(text: string): string | Wrong {
  if (DEVICE_TAG.test(text)) return text;
  const path = readPath(text);
  if (typeof path === 'string' && path !== '/') return path;
  return new Wrong('write an absolute path without "//", "." and "..", or UUID=... or LABEL=...');
}
