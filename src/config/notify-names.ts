import type { FloatingIp } from './config.js';

/**
 * The names under which a client may know this server, for SM_NOTIFY's mon_name, without duplicates: the
 * address as text, then each configured name followed by its short form. A client compares the name with
 * what it mounted from (X/Open XNFS, SM_NOTIFY), and nobody knows which spelling that was.
 */
export function notifyNames({ address, names }: Pick<FloatingIp, 'address' | 'names'>): string[] {
  const all = [address, ...names.flatMap((name) => [name, name.replace(/\..*/, '')])];
  // Host names are compared without regard to case (RFC 1123), so the first spelling is enough.
  const lower = all.map((name) => name.toLowerCase());
  return all.filter((_, at) => lower.indexOf(lower[at] ?? '') === at);
}
