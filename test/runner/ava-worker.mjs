// Bundles what ava loads in the process of each test file, for ava-cli.mjs.
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

let bundled;

/** Makes it, once in this process. Rejects where esbuild fails. */
export function bundleWorker() {
  bundled ??= import('esbuild').then(({ build }) =>
    build({
      entryPoints: [entry],
      outfile: fileURLToPath(workerFile),
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
      plugins: [shared],
    }),
  );
  return bundled;
}
