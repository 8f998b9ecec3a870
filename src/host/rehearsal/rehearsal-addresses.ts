import { writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { linksSchema } from '../reading/addresses.js';
import type { CommandResult, Host } from '../host.js';

/** `ip -j address show` and `ip address add|del ADDRESS/PREFIX dev INTERFACE` on a file of that JSON. */
export function rehearseIp(host: Host, args: readonly string[]): CommandResult {
  const file = '/addresses.json';
  const rows = v.parse(linksSchema, JSON.parse(host.readText(file) ?? '[]'));
  const [, verb, spec = '', , ifname = ''] = args;
  if (args[0] === '-j') return { exitCode: 0, stdout: JSON.stringify(rows), stderr: '' };
  const [local = '', prefix = '0'] = spec.split('/');
  const others = rows.filter((row) => row.addr_info?.some((info) => info.local === local) !== true);
  const next =
    verb === 'add' ? [...others, { ifname, addr_info: [{ local, prefixlen: Number(prefix) }] }] : others;
  writeFileSync(host.path(file), JSON.stringify(next));
  return { exitCode: 0, stdout: '', stderr: '' };
}
