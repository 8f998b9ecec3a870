import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { realHost } from '../../src/host/real.js';
import { chooseDriver } from '../../src/lockmanager/driver.js';
import type { LockManagerContext } from '../../src/lockmanager/port.js';

// Plain files stand for the two entries of the 2006 kernel interface, which no released kernel has.
const nfsd = mkdtempSync(path.join(tmpdir(), 'nlm-failover-nfsd-'));
test.after.always(() => rmSync(nfsd, { recursive: true }));
const context: LockManagerContext = { host: realHost, nlmRegistered: async () => true };
const instance = {
  address: '10.10.1.1',
  link: { kind: 'macvlan', parent: 'eth0' },
  nfsd,
  threads: 8,
  ports: {},
  callout: '/ha-callout',
  foreignMountpoints: [],
  filesystems: [],
} as const;
const filesystems = [
  { fsid: '1234', device: '/dev/absent1', mountpoint: '/nowhere/1' },
  { fsid: '5678', device: '/dev/absent2', mountpoint: '/nowhere/2' },
];

test.serial('auto needs both entries; asked for by name, their absence is an error', (t) => {
  const config = { nfsd, restart: ['true'] as const };
  t.is(chooseDriver(realHost, { ...config, driver: 'auto' }, instance).driver.name, 'lockd');
  const error = t.throws(() => chooseDriver(realHost, { ...config, driver: 'nlm-fsid' }, instance));
  t.regex(error.message, /cannot do the lock manager driver nlm-fsid: .*nlm_unlock is not there/);
  for (const name of ['nlm_unlock', 'nlm_set_ip_grace']) writeFileSync(path.join(nfsd, name), '');
  t.is(chooseDriver(realHost, { ...config, driver: 'auto' }, instance).driver.name, 'nlm-fsid');
});

test.serial('A-3 and B-2 write each fsid once, newline included', async (t) => {
  const { driver } = chooseDriver(realHost, { driver: 'nlm-fsid', nfsd, restart: ['true'] }, instance);
  for (const filesystem of filesystems) {
    for (const action of [
      ...driver.dropLocks(filesystem),
      ...driver.beforeGrace(filesystem),
      ...driver.enterGrace(filesystem),
    ]) {
      t.false(await action.check(context));
      await action.act(context);
      await action.verify(context);
    }
  }
  t.is(readFileSync(path.join(nfsd, 'nlm_unlock'), 'utf8'), '1234\n5678\n');
  t.is(readFileSync(path.join(nfsd, 'nlm_set_ip_grace'), 'utf8'), '1234\n5678\n');
});

test.serial('the commands are those of the 2006 mail', (t) => {
  const { driver } = chooseDriver(realHost, { driver: 'nlm-fsid', nfsd, restart: ['true'] }, instance);
  const [filesystem] = filesystems;
  if (filesystem === undefined) throw new Error('no file system');
  t.deepEqual(driver.dropLocks(filesystem)[0]?.commands, [`echo 1234 > ${nfsd}/nlm_unlock`]);
  t.deepEqual(driver.enterGrace(filesystem)[0]?.commands, [`echo 1234 > ${nfsd}/nlm_set_ip_grace`]);
});
