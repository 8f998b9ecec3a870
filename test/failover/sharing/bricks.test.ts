// What a brick of GlusterFS on this node holds, asked by two commands at once: a process that answers SIGUSR1 as a brick does stands for it.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findFloatingIp } from '../../../src/config/floating-ip.js';
import { loadConfig } from '../../../src/config/load-config.js';
import { deadLocksText } from '../../../src/failover/sharing/join.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { lockBricks } from '../../../src/rundir/operation-lock.js';
import { configure } from '../../helpers/check-sites.js';
import type { RehearsalNode } from '../../helpers/rehearsal-site.js';
import { address, sharedSite } from '../../helpers/shared-site.js';

/** Writes one dump for each second at the most, as GlusterFS names it by that (libglusterfs/src/statedump.c, gf_proc_dump_info). */
const program = `
const fs = require('fs');
const [directory, host] = process.argv.slice(1);
process.on('SIGUSR1', () => {
  const file = directory + '/srv-brick-b.' + process.pid + '.dump.' + Math.floor(Date.now() / 1000);
  const lock = 'posixlk.posixlk[0](ACTIVE)=type=WRITE, whence=0, start=0, len=0, pid = 9, owner=00, client=0x7f, connection-id=CTX_ID:1-GRAPH_ID:0-PID:9-HOST:' + host + '-PC_NAME:gv-client-1-RECON_NO:-0, granted at 2026-11-27 20:12:05';
  fs.writeFileSync(file, 'DUMP-START-TIME: 1\\n' + lock + '\\n');
  setTimeout(() => fs.existsSync(file) && fs.appendFileSync(file, '\\nDUMP-END-TIME: 2\\n'), 30);
});
console.log('ready');
setInterval(() => undefined, 1000);
`;

async function startBrick(t: ExecutionContext, node: RehearsalNode, host: string): Promise<void> {
  mkdirSync(node.path('/run/gluster'), { recursive: true });
  const child: ChildProcess = spawn(process.execPath, ['-e', program, node.path('/run/gluster'), host], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  if (child.stdout !== null) await once(child.stdout, 'data');
  mkdirSync(node.path(`/proc/${child.pid}`), { recursive: true });
  node.write(
    `/proc/${child.pid}/cmdline`,
    ['/usr/sbin/glusterfsd', '-s', 'A', '--volfile-id', 'gv.A.srv-brick-b', ''].join('\0'),
  );
  node.write(`/proc/${child.pid}/status`, 'Name:\tglusterfsd\nUid:\t0\t0\t0\t0\n');
}

async function site(t: ExecutionContext) {
  const { a } = sharedSite(t);
  configure(a, 'path = "/gv"', 'path = "/gv"\ngluster_volume = "gv"');
  await startBrick(t, a, 'dead-one');
  const ip = findFloatingIp(await loadConfig({ file: a.config, drivers }), address);
  return { a, ip, host: rehearsalHost(a.root) };
}

test('each of several commands at once has its answer, and none is left behind', async (t) => {
  const { a, ip, host } = await site(t);
  const said = await Promise.all(
    Array.from({ length: 6 }, () => deadLocksText(host, ip, ['dead-one', 'other'])),
  );
  t.deepEqual([...new Set(said)], ['a brick here holds locks of dead-one still']);
  t.deepEqual(readdirSync(path.join(a.root, 'run/gluster')), []);
  t.is(await deadLocksText(host, ip, ['other']), undefined);
});

test('whoever asks waits for the one before', async (t) => {
  const { a, ip, host } = await site(t);
  const lock = lockBricks(a.path('/run/nlm-failover'));
  t.not(lock, undefined);
  let isOver = false;
  const asked = deadLocksText(host, ip, ['dead-one']).then((said) => {
    isOver = true;
    return said;
  });
  await host.delay(300);
  t.false(isOver);
  t.deepEqual(readdirSync(path.join(a.root, 'run/gluster')), []);
  lock?.release();
  t.is(await asked, 'a brick here holds locks of dead-one still');
});
