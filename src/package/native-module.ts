import { cpSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import type { NodeFiles } from './node-files.js';
import { run } from './run.js';

const built = 'build/Release/better_sqlite3.node';

/**
 * better_sqlite3.node for a Node: the one in node_modules, where that is for the same ABI; else compiled with that Node's headers.
 *
 * @param root the checkout
 * @param work a directory for what is made on the way
 */
export function nativeModule(root: string, node: NodeFiles, work: string): string {
  const installed = path.join(root, 'node_modules/better-sqlite3');
  if (node.abi === process.versions.modules) return path.join(installed, built);
  const copy = path.join(work, `better-sqlite3-${node.abi}`);
  cpSync(installed, copy, {
    recursive: true,
    filter: (source) => path.relative(installed, source).split(path.sep)[0] !== 'build',
  });
  // npm knows where its node-gyp is, which believes the environment more than its arguments.
  const env = { npm_config_nodedir: node.directory, npm_config_target: node.version };
  run(['npm', 'run', '--silent', 'build-release', '--', '--jobs=max', '--loglevel=error'], {
    cwd: copy,
    env,
  });
  const file = path.join(copy, built);
  run([node.program, '--eval', 'require(process.argv[1])', file]);
  return file;
}

/** The JavaScript of better-sqlite3 as one file, which has better_sqlite3.node beside it. */
export async function moduleScript(root: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(root, 'node_modules/better-sqlite3/lib/index.js')],
    absWorkingDir: root,
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    legalComments: 'none',
    external: ['*.node'],
    plugins: [
      {
        // The package of this name looks for the file in a dozen places.
        name: 'bindings',
        setup: (hooks) => {
          hooks.onResolve({ filter: /^bindings$/ }, () => ({ path: 'bindings', namespace: 'beside' }));
          hooks.onLoad({ filter: /./, namespace: 'beside' }, () => ({
            contents: "module.exports = () => require('./better_sqlite3.node');",
          }));
        },
      },
    ],
  });
  return outputFiles[0]?.text ?? '';
}
