// ocf:nlm-failover:address as drbd-reactor runs it (its src/bin/ocf-rs-wrapper.rs): parameters and an instance's name in the environment, and
// nothing of Pacemaker's. After a crash DRBD's quorum proves that the other node cannot write, by the script of the manual page.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { drbdHasQuorum } from '../../src/man/sections/keepalived.js';
import { agentFile, ocf, runAgent } from '../helpers/ocf-agent.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';

const address = '127.77.31.1';
const proof = '/usr/local/sbin/drbd-has-quorum';

/** What `drbdsetup events2 --now` prints of a resource with two volumes. */
const events = (role: string, ...quorum: readonly string[]) =>
  [
    `exists resource name:nfs1 role:${role} suspended:no write-ordering:flush may_promote:no promotion_score:10101`,
    'exists connection name:nfs1 peer-node-id:0 conn-name:A connection:Connecting role:Unknown',
    ...quorum.map(
      (one, volume) =>
        `exists device name:nfs1 volume:${volume} minor:${volume} backing_dev:/dev/vg0/nfs1_${volume} disk:UpToDate client:no quorum:${one}`,
    ),
    'exists -',
    '',
  ].join('\n');

test('started, watched, stopped and stopped again; after a crash only with quorum in every volume', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a, b, directory } = site;
  const bin = path.join(directory, 'bin');
  mkdirSync(bin);
  const drbdIs = (text: string) =>
    writeFileSync(
      path.join(bin, 'drbdsetup'),
      `#!/bin/sh\n[ "$*" = 'events2 --now nfs1' ] || exit 10\ncat <<'E'\n${text}E\n`,
      { mode: 0o755 },
    );
  mkdirSync(path.join(b.root, path.dirname(proof)), { recursive: true });
  // Its PATH is that of the system.
  b.write(proof, drbdHasQuorum.replace('drbdsetup events2', `${bin}/drbdsetup events2`));
  chmodSync(path.join(b.root, proof), 0o755);
  b.write(
    '/etc/nlm-failover.toml',
    `${b.read('/etc/nlm-failover.toml')}\n[fencing]\ncommand = ["${proof}", "nfs1", "{node}"]\n`,
  );
  const run = (node: RehearsalNode, action: string) =>
    runAgent(agentFile('address'), [action], {
      AGENT: agentFile('address'),
      OCF_ROOT: '/usr/lib/ocf',
      OCF_RESOURCE_INSTANCE: 'address_nfs1',
      OCF_RESKEY_address: address,
      OCF_RESKEY_config: node.config,
      NLM_FAILOVER_REHEARSAL: node.root,
    });
  for (const [action, code] of [
    ['start', ocf.success],
    ['monitor', ocf.success],
    ['monitor', ocf.success],
  ] as const)
    t.is((await run(a, action)).code, code, action);

  for (const [text, why] of [
    [events('Secondary', 'yes', 'yes'), 'not promoted'],
    [events('Primary', 'yes', 'no'), 'one volume has lost it'],
    [events('Primary'), 'no volume'],
  ] as const) {
    drbdIs(text);
    const refused = await run(b, 'start');
    t.is(refused.code, ocf.generic, why);
    t.regex(refused.reasons.join('\n'), /node A owns .* and has not released it.* ended with 1\. See/, why);
    t.is((await run(b, 'monitor')).code, ocf.notRunning, why);
  }
  drbdIs(events('Primary', 'yes', 'yes'));
  const started = await run(b, 'start');
  t.is(started.code, ocf.success, started.stderr);
  t.regex((await b.here(['history', address])).stdout, /fenced by .*drbd-has-quorum/);
  t.is((await run(b, 'monitor')).code, ocf.success);
  for (const action of ['stop', 'stop']) t.is((await run(b, action)).code, ocf.success, action);
  t.is((await run(b, 'monitor')).code, ocf.notRunning);
});
