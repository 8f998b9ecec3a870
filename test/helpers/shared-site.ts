import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { replaceFile } from '../../src/host/replace-file.js';
import { projectRoot } from '../lab/project-root.js';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from './rehearsal-site.js';

/** Two addresses, whose file system both rehearsed nodes export. */
export const address = '127.78.1.1';
export const other = '127.78.1.2';

export interface SharedSite extends RehearsalSite {
  /** Where the records lie, on storage that both see. */
  readonly shared: string;
  /** That of `address`. */
  readonly record: string;
}

/** `timeouts`: lines of [timeouts]. */
export function sharedSite(t: ExecutionContext, timeouts = '', rpcbindPort = 1): SharedSite {
  t.timeout(120_000);
  const site = makeRehearsal({
    address,
    rpcbindPort,
    stateDirectory: '/shared_storage',
    shared: true,
    others: [{ address: other, fsid: 2 }],
  });
  t.teardown(() => site.remove());
  const shared = path.join(site.directory, 'shared');
  mkdirSync(shared, { mode: 0o755 });
  for (const node of [site.a, site.b]) {
    node.link('/shared_storage', shared);
    node.write('/etc/nlm-failover.toml', `${node.read('/etc/nlm-failover.toml')}\n[timeouts]\n${timeouts}\n`);
  }
  return { ...site, shared, record: path.join(shared, `sm_${address}`) };
}

export interface Watcher {
  readonly child: ChildProcess;
  /** What it has written, to either. */
  said(): string;
  /** By SIGTERM, which it takes as its end. */
  end(): Promise<void>;
}

/** `join-grace --watch` of a node. */
export function watch(t: ExecutionContext, node: RehearsalNode): Watcher {
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const child: ChildProcess = spawn(
    process.execPath,
    [path.join(projectRoot(), 'bin/nlm-failover'), 'join-grace', '--watch', '--json'],
    {
      env: { ...inherited, NLM_FAILOVER_REHEARSAL: node.root, NLM_FAILOVER_CONFIG: node.config },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => (said += data.toString()));
  const ended = once(child, 'exit');
  const end = async () => {
    child.kill('SIGTERM');
    t.deepEqual(await ended, [0, null], said);
  };
  t.teardown(() => child.kill('SIGKILL'));
  return { child, said: () => said, end };
}

/** What NFS-Ganesha there says. */
export function isInGrace(node: RehearsalNode): boolean {
  return (JSON.parse(node.read('/dbus.json')) as { inGrace: boolean }).inGrace;
}

/** As when its time has come. */
export function endGrace(...nodes: readonly RehearsalNode[]): void {
  for (const node of nodes)
    replaceFile(node.path('/dbus.json'), '{ "inGrace": false, "exports": [[1, "/gv"]] }', 0o644);
}
