// esbuild for esbuild.mjs: that of node_modules. Where npm left the dev packages out (`npm ci --omit=dev`), the one that
// package-lock.json names, for as long as the bundling takes and outside of the checkout.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Calls `use` with esbuild's module, and waits for it.
 *
 * @param {(esbuild: typeof import('esbuild')) => Promise<unknown>} use
 */
export async function withEsbuild(use) {
  const own = await import('esbuild').catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return undefined;
  });
  if (own !== undefined) {
    await use(own);
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), 'nlm-failover-esbuild-'));
  try {
    install(directory);
    const esbuild = createRequire(join(directory, 'package.json'))('esbuild');
    await use(esbuild);
    await esbuild.stop();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `npm ci` of esbuild alone, with the lock file's entries for it: npm compares each package with its digest there. */
function install(directory) {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const names = ['node_modules/esbuild', 'node_modules/@esbuild/'];
  const packages = Object.entries(lock.packages)
    .filter(([path]) => path === names[0] || path.startsWith(names[1]))
    .map(([path, entry]) => [path, { ...entry, dev: undefined }]);
  const name = 'nlm-failover-esbuild';
  const dependencies = { esbuild: lock.packages[names[0]].version };
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name, version: '0.0.0', dependencies }));
  writeFileSync(
    join(directory, 'package-lock.json'),
    JSON.stringify({
      name,
      version: '0.0.0',
      lockfileVersion: lock.lockfileVersion,
      requires: true,
      packages: { '': { name, version: '0.0.0', dependencies }, ...Object.fromEntries(packages) },
    }),
  );
  // The npm that runs this (npm_execpath), or the one in PATH. esbuild's program is used as it lies in its package: no scripts.
  const npm = process.env.npm_execpath === undefined ? ['npm'] : [process.execPath, process.env.npm_execpath];
  const [file, ...args] = [...npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync(file, args, { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
}
