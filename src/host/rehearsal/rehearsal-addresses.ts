import { writeFileSync } from 'node:fs';
import type { CommandResult, Host } from '../host.js';

interface Row {
  readonly ifname: string;
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[];
}

/** `ip -j address show` and `ip address add|del ADDRESS/PREFIX dev INTERFACE` on a file of that JSON. */
export function rehearseIp(host: Host, args: readonly string[]): CommandResult {
  const file = '/addresses.json';
  const rows = JSON.parse(host.readText(file) ?? '[]') as Row[];
  const [, verb, spec = '', , ifname = ''] = args;
  if (args[0] === '-j') return { exitCode: 0, stdout: JSON.stringify(rows), stderr: '' };
  const [local = '', prefix = '0'] = spec.split('/');
  const others = rows.filter((row) => !row.addr_info.some((info) => info.local === local));
  const next =
    verb === 'add' ? [...others, { ifname, addr_info: [{ local, prefixlen: Number(prefix) }] }] : others;
  writeFileSync(host.path(file), JSON.stringify(next));
  return { exitCode: 0, stdout: '', stderr: '' };
}
