import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { realHost } from '../../src/host/real.js';
import { nlmFsid } from '../../src/lockmanager/nlm-fsid.js';
import { nodeItself } from './helpers/instance.js';
import type { LockManagerContext } from '../../src/lockmanager/port.js';

// Plain files stand for the two entries of the 2006 kernel interface, which no released kernel has.
const nfsd = mkdtempSync(path.join(tmpdir(), 'nlm-failover-nfsd-'));
for (const name of ['nlm_unlock', 'nlm_set_ip_grace']) writeFileSync(path.join(nfsd, name), '');
test.after.always(() => rmSync(nfsd, { recursive: true }));
const context: LockManagerContext = {
  host: realHost,
  nlmRegistered: async () => true,
  registeredAt: async () => true,
};
// What is mounted on every host, and has no locks: of what is not mounted there is nothing to drop.
const filesystems = [
  { fsid: '1234', device: 'proc', mountpoint: '/proc' },
  { fsid: '5678', device: 'proc', mountpoint: '/proc' },
];

test.serial('A-3 of what is not mounted writes nothing', async (t) => {
  const driver = nlmFsid(nodeItself(realHost), nfsd);
  const [drop] = driver.dropLocks({ fsid: '1234', device: '/dev/absent1', mountpoint: '/nowhere/1' });
  t.true(await drop?.check(context));
});

test.serial('A-3 and B-2 write each fsid once, newline included', async (t) => {
  const driver = nlmFsid(nodeItself(realHost), nfsd);
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
  const driver = nlmFsid(nodeItself(realHost), nfsd);
  const [filesystem] = filesystems;
  if (filesystem === undefined) throw new Error('no file system');
  t.deepEqual(driver.dropLocks(filesystem)[0]?.commands, [`echo 1234 > ${nfsd}/nlm_unlock`]);
  t.deepEqual(driver.enterGrace(filesystem)[0]?.commands, [`echo 1234 > ${nfsd}/nlm_set_ip_grace`]);
});
