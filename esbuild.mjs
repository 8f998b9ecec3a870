// Bundles src/cli/main.ts into dist/nlm-failover.cjs, the one file that bin/nlm-failover loads, with its code cache beside it.
// CommonJS, because there a lazily imported module keeps even its external imports (better-sqlite3) lazy.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
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
    charset: 'ascii',
    // bin/bundle.cjs compiles it as a script, where import() is none.
    supported: { 'dynamic-import': false },
    external: ['better-sqlite3'],
    sourcemap: 'linked',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'warning',
  }),
);
// What is not ASCII now stands in comments. All of it ASCII, V8 reads it faster.
const commentLine = /^\s*(?:\*|\/[/*]).*$/gm;
const asciiOnly = (comment) => comment.replaceAll(/[^\0-\x7f]/g, '?');
writeFileSync(outfile, readFileSync(outfile, 'utf8').replaceAll(commentLine, asciiOnly));
// In a process of its own: what is compiled in it is what the cache has.
execFileSync(process.execPath, ['code-cache.mjs', 'dist'], { stdio: ['ignore', 'ignore', 'inherit'] });
