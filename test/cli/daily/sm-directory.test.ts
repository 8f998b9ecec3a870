// nlm-failover sm-directory, as far as no network is needed: where it may lie, and what it says. The rest is in test/wire.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';
import { addClient } from '../../helpers/rehearsal-steps.js';

const address = '127.77.46.1';

test('not on a volume that clients reach; beside the record it may lie', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a } = site;
  t.is((await a.here(['takeover', address, '--steps', 'B-1,B-2,B-5'])).exitCode, 0);
  addClient(a, '127.77.46.9');
  const exposed = await a.here(['sm-directory', address, '/mnt/vol1/sm1']);
  t.is(exposed.exitCode, 2);
  t.regex(
    exposed.stderr,
    /it lies on a file system that clients with AUTH_SYS or an anonuid reach, through \/mnt\/vol1 /,
  );
  t.false(existsSync(a.path('/mnt/vol1/sm1')));
  const place = path.join(site.directory, 'A/run/sm1');
  t.is((await a.here(['sm-directory', address, '/run/sm1'])).exitCode, 0);
  t.true(existsSync(path.join(place, 'sm/127.77.46.9')));

  const config = readFileSync(a.config, 'utf8');
  writeFileSync(a.config, config.replace(/^\s*names = .*$/m, ''));
  const nameless = await a.here(['sm-directory', address, '/run/sm2']);
  t.regex(nameless.stdout, /127\.77\.46\.1 must have a name there.*"127\.77\.46\.1 NAME" into \/etc\/hosts/);
});
