// Bundles src/cli/main.ts into dist/nlm-failover.cjs, the one file that bin/nlm-failover loads.
// CommonJS, because there a lazily imported module keeps even its external imports (better-sqlite3) lazy.
import { build } from 'esbuild';

await build({
  entryPoints: ['src/cli/main.ts'],
  outfile: 'dist/nlm-failover.cjs',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['better-sqlite3'],
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
});
