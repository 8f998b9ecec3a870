import type { Export, Filesystem } from '../../config/config.js';
import { blocksNamed, wordOf } from './conf.js';

// EXPORT blocks (ganesha-export-config(8)).

/** Options of exports(5) that mean nothing to NFS-Ganesha, or what it does anyway. */
const meaningless =
  /^(?:sync|async|(?:no_)?subtree_check|(?:no_)?wdelay|(?:no_)?hide|nohide|crossmnt|(?:no_)?acl|(?:in)?secure_locks|(?:no_)?auth_nlm|mp|mountpoint|fsid=.*)$/;

/** What exports(5) says of one client, in Ganesha's words; undefined: it has none for it. */
function meaningOf(option: string): readonly [key: string, value: string] | undefined {
  const fixed: Readonly<Record<string, readonly [string, string]>> = {
    rw: ['Access_Type', 'RW'],
    ro: ['Access_Type', 'RO'],
    root_squash: ['Squash', 'Root_Squash'],
    no_root_squash: ['Squash', 'No_Root_Squash'],
    all_squash: ['Squash', 'All_Squash'],
    no_all_squash: ['Squash', 'Root_Squash'],
    secure: ['PrivilegedPort', 'true'],
    insecure: ['PrivilegedPort', 'false'],
  };
  if (fixed[option] !== undefined) return fixed[option];
  const [, key = '', value = ''] = /^(anonuid|anongid|sec)=(.+)$/.exec(option) ?? [];
  if (key === 'sec') {
    const flavors = value.split(':');
    return flavors.every((flavor) => /^(?:none|sys|krb5[ip]?)$/.test(flavor))
      ? ['SecType', flavors.join(', ')]
      : undefined;
  }
  const number = Number(value);
  if (key === '' || !Number.isInteger(number)) return undefined;
  return [key === 'anonuid' ? 'Anonymous_Uid' : 'Anonymous_Gid', String(number)];
}

function optionsOf({ options }: Export): string[] {
  return options.split(',').filter((option) => option !== '' && !meaningless.test(option));
}

/** A client of exports(5) as Ganesha takes it: an IPv6 address without its brackets. */
function clientOf(clients: string): string {
  return clients.replace(/^\[(.*)\](\/\d+)?$/, '$1$2');
}

/** Why an EXPORT block cannot be made of the tables of a file system: every reason, as a clause. */
export function blockLacks({ mountpoint, exports, exportBlock }: Filesystem): string[] {
  const paths = [...new Set(exports.map(({ path }) => path))];
  if (paths.length > 1)
    return [
      `${mountpoint} has ${paths.length} paths exported, and an Export_Id is of one: give each a file system of its own`,
    ];
  if (exportBlock !== undefined) return [];
  const own = 'write an EXPORT block of your own (export_block)';
  return [
    ...paths.filter((path) => /["\\]/.test(path)).map((path) => `no EXPORT block can have the path ${path}`),
    ...exports.flatMap((one) => [
      ...optionsOf(one)
        .filter((option) => meaningOf(option) === undefined)
        .map((option) => `NFS-Ganesha has nothing for "${option}" of ${one.path}: leave it out, or ${own}`),
      ...(/^@|^[\w*?.:[\]-]+(?:\/\d+)?$/.test(one.clients)
        ? []
        : [
            `NFS-Ganesha does not take the clients "${one.clients}": write a network as ADDRESS/LENGTH, or ${own}`,
          ]),
    ]),
  ];
}

/**
 * The EXPORT block of a file system, on one line, with a CLIENT block for each of its tables. What exports(5) takes for granted is said
 * (ro, root_squash, secure), as Ganesha takes other things for granted; Path is what a client mounts by, and Pseudo, for where
 * Mount_Path_Pseudo is set.
 */
export function blockText({ exports }: Pick<Filesystem, 'exports'>, id: number): string {
  const path = `"${exports[0]?.path ?? ''}"`;
  const clients = exports.map((one) => {
    const said = new Map([
      ['Access_Type', 'RO'],
      ['Squash', 'Root_Squash'],
      ['SecType', 'sys'],
      ['PrivilegedPort', 'true'],
    ]);
    for (const option of optionsOf(one)) {
      const [key, value] = meaningOf(option) ?? [];
      if (key !== undefined && value !== undefined) said.set(key, value);
    }
    const words = [...said].map(([key, value]) => `${key} = ${value};`).join(' ');
    return `CLIENT { Clients = ${clientOf(one.clients)}; ${words} }`;
  });
  return `EXPORT { Export_Id = ${id}; Path = ${path}; Pseudo = ${path}; Protocols = 3; Access_Type = None; FSAL { Name = VFS; } ${clients.join(' ')} }`;
}

/** What a block of the administrator's says, as far as it must agree with the configuration; undefined where it does not say. */
export interface OwnBlock {
  readonly id: number | undefined;
  readonly path: string | undefined;
  readonly fsal: string | undefined;
}

/** Of the EXPORT block with that id in a file, else of the first one; all undefined where there is none. */
export function readOwnBlock(text: string, id: number): OwnBlock {
  const blocks = exportBlocks(text);
  return (
    blocks.find((block) => block.id === id) ??
    blocks[0] ?? { id: undefined, path: undefined, fsal: undefined }
  );
}

/** Every EXPORT block of a file. */
export function exportBlocks(text: string): OwnBlock[] {
  return blocksNamed(text, 'EXPORT').map((block): OwnBlock => {
    const fsal = blocksNamed(block, 'FSAL').map((inner) => wordOf(inner, 'Name'))[0];
    const found = wordOf(block, 'Export_Id');
    return { id: found === undefined ? undefined : Number(found), path: wordOf(block, 'Path'), fsal };
  });
}
