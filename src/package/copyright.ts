import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { home } from './flavours.js';
import type { NodeFiles } from './node-files.js';
import { npmManifest } from './npm-manifest.js';

/** The packages that a bundle is made of, by the lines that esbuild writes before each file: below node_modules. */
export function bundledPackages(bundle: string): string[] {
  const names = [...bundle.matchAll(/^\s*\/\/ node_modules\/((?:@[\w.-]+\/)?[\w.-]+)\//gm)].map(
    ([, name = '']) => name,
  );
  return [...new Set(names)].toSorted();
}

/**
 * The file `copyright`, in the format of Debian (DEP-5): ours, and word for word the licence of each package that is in the
 * bundle, or in better-sqlite3's file.
 *
 * @throws Error where a package has none, as it must not be given away then
 */
export function copyright(root: string, packages: readonly string[], node: NodeFiles | undefined): string {
  const paragraphs = packages.map((name) => {
    const directory = path.join(root, 'node_modules', name);
    const { version, license } = npmManifest(root, name);
    const file = readdirSync(directory).find((one) => /^licen[cs]e(?:\.(?:md|txt))?$/i.test(one));
    if (file === undefined) throw new Error(`${name} ${version} has no licence file`);
    const text = withoutCommon(readFileSync(path.join(directory, file), 'utf8'));
    const holders = [...text.matchAll(/^\s*(?:copyright\b|\(c\)).*$/gim)].map(([line]) => line.trim());
    return stanza({
      files: name === 'better-sqlite3' ? `${home}/node_modules/better-sqlite3/*` : `${home}/dist/*`,
      comment: `${name} ${version} is in it.`,
      holders: holders.length === 0 ? ['see the licence'] : holders,
      license: `${license} and ${name}`.replaceAll(/[^\w.@/+-]+/g, '-'),
      text,
    });
  });
  const own = readFileSync(path.join(root, 'LICENSE'), 'utf8');
  return [
    'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: nlm-failover\n',
    stanza({
      files: '*',
      comment: undefined,
      holders: ['Copyright (c) 2026 the nlm-failover authors'],
      license: 'Expat',
      text: own.split('\n').slice(2).join('\n'),
    }),
    ...paragraphs,
    ...(node === undefined
      ? []
      : [
          stanza({
            files: `${home}/bin/node`,
            comment: `Node.js ${node.version}. What is in it, V8 and OpenSSL among it, and all licences: LICENSE.node.gz beside this file.`,
            holders: ['Copyright Node.js contributors'],
            license: 'Node.js',
            text: 'See LICENSE.node.gz beside this file.',
          }),
        ]),
  ].join('\n');
}

/** A licence that every Debian system has as a file is named, and not repeated (Debian Policy 12.5). */
function withoutCommon(text: string): string {
  if (!/^\s*Apache License\s+Version 2\.0, January 2004/.test(text)) return text;
  return [
    ...[...text.matchAll(/^\s*Copyright \d.*$/gm)].map(([line]) => line.trim()),
    'Licensed under the Apache License, Version 2.0, which is in /usr/share/common-licenses/Apache-2.0.',
  ].join('\n');
}

interface Stanza {
  readonly files: string;
  readonly comment: string | undefined;
  readonly holders: readonly string[];
  readonly license: string;
  readonly text: string;
}

function stanza({ files, comment, holders, license, text }: Stanza): string {
  return [
    `Files: ${files}`,
    `Copyright: ${holders.join('\n           ')}`,
    `License: ${license}`,
    ...text
      .trim()
      .split('\n')
      .map((line) => (line.trim() === '' ? ' .' : ` ${line.trimEnd()}`)),
    ...(comment === undefined ? [] : [`Comment: ${comment}`]),
    '',
  ].join('\n');
}
