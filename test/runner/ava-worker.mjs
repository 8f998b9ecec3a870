// Bundles what the process of each test file loads: what ava has there, for ava-cli.mjs, and execa, whose hundred and more files cost it
// twice what Node's own start does.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const lib = fileURLToPath(new URL('../../node_modules/ava/lib', import.meta.url));
const entry = `${lib}/worker/base.js`;
/** ava leaves out of a stack what lies in a directory of its name (lib/reporters/beautify-stack.js). */
export const workerFile = new URL('../../build/ava/worker.js', import.meta.url);

/** What `import test from 'ava'` loads as well must be there once, and what looks for files beside itself where it is. */
const isShared = (file) => (file.startsWith(`${lib}/worker/`) && file !== entry) || file === `${lib}/pkg.cjs`;

const shared = {
  name: 'shared',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const file = resolve(resolveDir, path);
      return isShared(file) ? { path: pathToFileURL(file).href, external: true } : undefined;
    });
  },
};

const options = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  // What is CommonJS in it requires modules of Node.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
};

/** Where what is in build/ finds it first. */
const modules = new URL('../../build/node_modules/', import.meta.url);

let bundled;

/** Makes them, once in this process. Rejects where esbuild fails. */
export function bundleWorker() {
  bundled ??= bundle();
  return bundled;
}

async function bundle() {
  const { build } = await import('esbuild');
  const execa = fileURLToPath(new URL('execa/index.js', modules));
  await Promise.all([
    build({ ...options, entryPoints: [entry], outfile: fileURLToPath(workerFile), plugins: [shared] }),
    build({ ...options, entryPoints: [fileURLToPath(import.meta.resolve('execa'))], outfile: execa }),
  ]);
  const description = { name: 'execa', type: 'module', exports: './index.js' };
  writeFileSync(new URL('execa/package.json', modules), JSON.stringify(description));
}
