// Bundles src/cli/main.ts into dist/nlm-failover.cjs, the one file that bin/nlm-failover loads, with its code cache beside it.
// CommonJS, because there a lazily imported module keeps even its external imports (better-sqlite3) lazy.
import { execFileSync } from 'node:child_process';
import { withEsbuild } from './locked-esbuild.mjs';

const outfile = 'dist/nlm-failover.cjs';

await withEsbuild(({ build }) =>
  build({
    entryPoints: ['src/cli/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    // All of it ASCII, and without what only people read, V8 reads it faster; names stay, for the stack of an error.
    charset: 'ascii',
    minifyWhitespace: true,
    minifySyntax: true,
    // Node prints the line that threw.
    lineLimit: 200,
    // bin/bundle.cjs compiles it as a script, where import() is none, and which is the function that Node makes of what it requires.
    supported: { 'dynamic-import': false },
    banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
    footer: { js: '})' },
    external: ['better-sqlite3'],
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
  }),
);
// In a process of its own: what is compiled in it is what the cache has.
execFileSync(process.execPath, ['code-cache.mjs', 'dist'], { stdio: ['ignore', 'ignore', 'inherit'] });
