/**
 * `npm run package`: makes the Debian packages in dist/, of a checkout that is built.
 *
 *     node build/src/package/main.js [--node=build] [--only=NAME] [--compress=none] [--to=DIRECTORY]
 *
 * --node=build packs the Node that runs this, without asking a registry: for tests; --only makes one of the two;
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
import { type Flavour, flavours } from './flavours.js';
import { buildsNode, fetchNode, packedNode, type NodeFiles } from './node-files.js';
import { Tree } from './tree.js';

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: 'registry' },
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
  const node = values.node === 'build' ? buildsNode() : fetchNode(packedNode, work);
  for (const flavour of flavours(node)) {
    if (values.only === undefined || values.only === flavour.name) await make(flavour, node);
  }
} finally {
  rmSync(work, { recursive: true });
}

/** The slim one gets a native module for the ABI of that Node, which Debian 13's has as well. */
async function make(flavour: Flavour, node: NodeFiles): Promise<void> {
  const tree = new Tree(path.join(work, 'debian', flavour.name));
  const native = await layContents(tree, flavour, { root, work, epoch, node });
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
