import { writeFileSync } from 'node:fs';
import { etab } from '../reading/exports.js';
import type { CommandResult, Host } from '../host.js';

/** `exportfs -o OPTIONS CLIENTS:PATH`, `-u CLIENTS:PATH` and `-f` on a file in etab's format. */
export function rehearseExportfs(host: Host, args: readonly string[]): CommandResult {
  const spec = args.at(-1) ?? '';
  const [, clients = '', path = ''] = /^(.*?):(\/.*)$/.exec(spec) ?? [];
  const lines = (host.readText(etab) ?? '').split('\n').filter((line) => line !== '');
  const others = lines.filter((line) => !line.startsWith(`${path}\t${clients}(`));
  if (args[0] === '-u') writeLines(host, others);
  if (args[0] === '-o') writeLines(host, [...others, `${path}\t${clients}(${args[1] ?? ''})`]);
  return { exitCode: 0, stdout: '', stderr: '' };
}

function writeLines(host: Host, lines: readonly string[]): void {
  writeFileSync(host.path(etab), lines.map((line) => `${line}\n`).join(''));
}
