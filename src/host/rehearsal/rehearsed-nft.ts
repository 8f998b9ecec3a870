import { writeFileSync } from 'node:fs';
import type { CommandResult, Host } from '../host.js';

const succeeded: CommandResult = { exitCode: 0, stdout: '', stderr: '' };
const file = '/nft-refused';

/**
 * `nft -f -`: what the packet filter refuses is a file, in which the first line says until when (ms since 1970); of one transaction the sets of the last
 * table count. `nft list set ...`, `nft list table ...`: its elements, and the ends of the rules. Else the ruleset as JSON, as /nft.json has it.
 */
export function rehearseNft(host: Host, args: readonly string[], input = ''): CommandResult {
  if (args[0] === '-f') {
    const [, table] = /^table ([^]*)$/m.exec(input) ?? [];
    const [, seconds = '0'] = /timeout (\d+)s/.exec(table ?? '') ?? [];
    const elements = [...(table ?? '').matchAll(/elements = \{ ([^}]*) \}/g)].map(([, list]) => list);
    writeFileSync(
      host.path(file),
      table === undefined ? '' : [host.now() + Number(seconds) * 1000, ...elements, ''].join('\n'),
    );
    return succeeded;
  }
  if (args[0] !== 'list') return { ...succeeded, stdout: host.readText('/nft.json') ?? '{"nftables":[]}' };
  const text = host.readText(file) ?? '';
  if (text === '') return { exitCode: 1, stdout: '', stderr: 'Error: No such file or directory' };
  const [until = '0', ports = ''] = text.split('\n');
  const isOver = ports === '' || host.now() >= Number(until);
  const rules = args[1] === 'table' ? ['ports', 'own4', 'own6'].map((set) => `\n@${set} drop`).join('') : '';
  return { ...succeeded, stdout: `set ports { ${isOver ? '' : `elements = { ${ports} } `}}${rules}` };
}
