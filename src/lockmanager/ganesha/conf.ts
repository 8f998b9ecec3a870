// The little that is read of files of NFS-Ganesha (ganesha-config(8)); what they include is not.

/** NFSv4's Grace_Period in the text of a ganesha.conf, which is NLM's too; undefined where it does not say. */
export function gracePeriodOf(text: string): number | undefined {
  const found = lastWord(text, 'NFSv4', 'Grace_Period');
  return found !== undefined && /^\d+$/.test(found) ? Number(found) : undefined;
}

/** What a ganesha.conf says of the server itself; the key: as in ganesha-core-config(8). Undefined: its default. */
export function coreParam(text: string, key: string): string | undefined {
  return lastWord(text, 'NFS_Core_Param', key);
}

/** Whether it never enters a grace (NFSv4's Graceless; nfs4_recovery.c, nfs_start_grace). */
export function isGraceless(text: string): boolean {
  return booleanOf(lastWord(text, 'NFSv4', 'Graceless')) === true;
}

function lastWord(text: string, name: string, key: string): string | undefined {
  return blocksNamed(text, name)
    .map((block) => wordOf(block, key))
    .findLast((word) => word !== undefined);
}

/** As Ganesha reads a boolean (config_parsing/conf_url.c, convert_bool); undefined: it is none, or not said. */
export function booleanOf(word: string | undefined): boolean | undefined {
  if (/^(?:1|yes|true|on)$/i.test(word ?? '')) return true;
  return /^(?:0|no|false|off)$/i.test(word ?? '') ? false : undefined;
}

/** What is between the braces of each block of that name, whatever its case, without comments. */
export function blocksNamed(commented: string, name: string): string[] {
  const text = commented.replaceAll(/("[^"\n]*")|#.*/g, '$1');
  const found: string[] = [];
  for (const { index, 0: head } of text.matchAll(new RegExp(`(?<![\\w"])${name}\\s*\\{`, 'gi'))) {
    let depth = 1;
    let end = index + head.length;
    for (; end < text.length && depth > 0; end += 1) {
      if (text[end] === '{') depth += 1;
      if (text[end] === '}') depth -= 1;
    }
    found.push(text.slice(index + head.length, end - 1));
  }
  return found;
}

/** What a key of a block says, a list with its commas; undefined: it is not there. */
export function wordOf(block: string, key: string): string | undefined {
  const [, quoted, bare] =
    new RegExp(`(?<![\\w])${key}\\s*=\\s*(?:"([^"]*)"|([^;]*[^;\\s]))\\s*;`, 'i').exec(block) ?? [];
  return quoted ?? bare;
}
