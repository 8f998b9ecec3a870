/**
 * `npm run package`: makes the Debian packages in dist/, of a checkout that is built.
 *
 *     node build/src/package/main.js [--node=build] [--only=NAME] [--compress=none] [--to=DIRECTORY]
 *
 * --node=build takes the Node that runs this instead, without asking a registry: for tests; --only makes one of the two;
 * --compress=none is for a test, which unpacks it at once. The same checkout, Node and compiler make the same bytes.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { dateOf } from '../man/changelog.js';
import { version } from '../version.js';
import { layContents } from './contents.js';
import { controlFile, kilobytesOf, librariesOf, makeArchive, writeControl } from './control.js';
import { type Flavour, flavours, slimAbi } from './flavours.js';
import { buildsNode, fetchNode, ltsNode, node20, type NodeFiles } from './node-files.js';
import { Tree } from './tree.js';

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: 'lts' },
    only: { type: 'string' },
    compress: { type: 'string', default: 'xz' },
    to: { type: 'string' },
  },
});
// From build/src/package.
const root = path.resolve(import.meta.dirname, '../../..');
const to = path.resolve(values.to ?? path.join(root, 'dist'));
const epoch = Date.parse(dateOf(version, readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8'))) / 1000;

// What others may read is read by others: statd's user runs the callout.
process.umask(0o022);
mkdirSync(to, { recursive: true });
const work = mkdtempSync(path.join(tmpdir(), 'nlm-failover-package-'));
mkdirSync(path.join(work, 'debian'));
try {
  const lts = values.node === 'build' ? buildsNode() : ltsNode;
  for (const flavour of flavours(lts)) {
    if (values.only === undefined || values.only === flavour.name) await make(flavour);
  }
} finally {
  rmSync(work, { recursive: true });
}

async function make(flavour: Flavour): Promise<void> {
  const tree = new Tree(path.join(work, 'debian', flavour.name));
  const native = await layContents(tree, flavour, { root, work, epoch, node: nodeOf(flavour) });
  const control = controlFile(flavour, {
    version,
    libraries: librariesOf(native, flavour, work),
    kilobytes: kilobytesOf(tree),
  });
  writeControl(tree, control, path.join(root, 'src/package/debian'));
  const file = path.join(to, `${flavour.name}_${version}_amd64.deb`);
  const bytes = makeArchive(tree, file, { epoch, compress: values.compress });
  process.stdout.write(`${file}  ${(bytes / 1e6).toFixed(1)} MB\n`);
}

/** The Node that a flavour runs with, or at least one with its ABI. */
function nodeOf({ ownNode }: Flavour): NodeFiles {
  if (values.node === 'build') return buildsNode();
  if (!ownNode) return process.versions.modules === slimAbi ? buildsNode() : fetchNode(node20, work);
  return fetchNode(ltsNode, work);
}
