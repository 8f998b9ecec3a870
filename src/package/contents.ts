import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { version } from '../version.js';
import { bundledPackages, copyright } from './copyright.js';
import { type Flavour, home } from './flavours.js';
import { moduleScript, nativeModule } from './native-module.js';
import type { NodeFiles } from './node-files.js';
import { npmManifest } from './npm-manifest.js';
import { debianChangelog } from './control.js';
import { run } from './run.js';
import type { Tree } from './tree.js';

export interface Sources {
  /** The checkout, built. */
  readonly root: string;
  /** A directory for what is made on the way. */
  readonly work: string;
  /** The Node that the flavour runs with. */
  readonly node: NodeFiles;
  /** The day of this version, seconds since 1970. */
  readonly epoch: number;
}

/** Lays all files of a flavour into a tree. Returns those that need libraries of the system: their paths on this machine. */
export async function layContents(tree: Tree, flavour: Flavour, sources: Sources): Promise<string[]> {
  const { root, work, node } = sources;
  const bundle = path.join(root, 'dist/nlm-failover.cjs');
  layProgram(tree, flavour, root);
  tree.copy(bundle, `${home}/dist/nlm-failover.cjs`);
  const sqlite = `${home}/node_modules/better-sqlite3`;
  const manifest = {
    name: 'better-sqlite3',
    version: npmManifest(root, 'better-sqlite3').version,
    main: 'index.js',
  };
  tree.write(`${sqlite}/package.json`, `${JSON.stringify(manifest)}\n`);
  tree.write(`${sqlite}/index.js`, await moduleScript(root));
  tree.copy(nativeModule(root, node, work), `${sqlite}/better_sqlite3.node`, false);
  if (flavour.ownNode) tree.copy(node.program, `${home}/bin/node`);
  const native = [`${sqlite}/better_sqlite3.node`, ...(flavour.ownNode ? [`${home}/bin/node`] : [])];
  for (const file of native) strip(path.join(tree.root, file));

  tree.copyAll(path.join(root, 'callouts'), `${home}/callouts`, 'systemd');
  tree.copyAll(path.join(root, 'callouts/systemd'), 'usr/lib/systemd/system');
  // The agents find what they share, and the command, by the directory that this leads to.
  tree.link('usr/lib/ocf/resource.d/nlm-failover', `../../${path.basename(home)}/callouts/ocf`);
  layDocuments(tree, flavour, sources, bundledPackages(readFileSync(bundle, 'utf8')));
  return native.map((file) => path.join(tree.root, file));
}

/** bin/, with the line that finds Node, and what makes the code cache where the package is installed. */
function layProgram(tree: Tree, flavour: Flavour, root: string): void {
  const program = readFileSync(path.join(root, 'bin/nlm-failover'), 'utf8');
  const [first, ...rest] = program.split('\n');
  if (first !== '#!/usr/bin/env node') throw new Error(`bin/nlm-failover begins with ${first}`);
  tree.write(`${home}/bin/nlm-failover`, [`#!${flavour.interpreter}`, ...rest].join('\n'), true);
  for (const name of ['bin/bundle.cjs', 'bin/package.json', 'code-cache.mjs'])
    tree.copy(path.join(root, name), `${home}/${name}`);
  tree.link('usr/sbin/nlm-failover', `../lib/nlm-failover/bin/nlm-failover`);
}

function layDocuments(
  tree: Tree,
  flavour: Flavour,
  { root, node, epoch }: Sources,
  bundled: readonly string[],
): void {
  const doc = `usr/share/doc/${flavour.name}`;
  for (const page of readdirSync(path.join(root, 'man')))
    tree.gzip(path.join(root, 'man', page), `usr/share/man/man${page.slice(-1)}/${page}`);
  const packages = [...new Set([...bundled, 'better-sqlite3'])].toSorted();
  tree.write(`${doc}/copyright`, copyright(root, packages, flavour.ownNode ? node : undefined));
  if (flavour.ownNode && node.license !== undefined) tree.gzip(node.license, `${doc}/LICENSE.node`);
  tree.gzip(Buffer.from(debianChangelog(flavour, version, epoch)), `${doc}/changelog`);
  for (const name of ['CHANGELOG.md', 'README.md', 'SECURITY.md'])
    tree.gzip(path.join(root, name), `${doc}/${name}`);
  const own = path.join(root, 'src/package/debian');
  tree.copy(path.join(own, 'README.Debian'), `${doc}/README.Debian`);
  if (flavour.ownNode)
    tree.copy(
      path.join(own, 'nlm-failover.lintian-overrides'),
      `usr/share/lintian/overrides/${flavour.name}`,
    );
  layCompletion(tree, root);
}

/** What the command itself prints for bash. */
function layCompletion(tree: Tree, root: string): void {
  const program = path.join(root, 'bin/nlm-failover');
  const script = run([process.execPath, program, 'completion', 'bash']);
  tree.write('usr/share/bash-completion/completions/nlm-failover', script);
}

/** Without symbols for a debugger: three quarters of the size remain. The names that modules are linked by stay. */
function strip(file: string): void {
  run(['strip', '--strip-all', '--remove-section=.comment', '--remove-section=.note', file]);
  if (!existsSync(file)) throw new Error(`strip left no ${file}`);
}
