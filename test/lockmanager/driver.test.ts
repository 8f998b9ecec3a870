// Which driver serves an address: what the configuration says, what is here already, what the host can do.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { Host } from '../../src/host/host.js';
import { realHost } from '../../src/host/real.js';
import { chooseDriver, type Situation } from '../../src/lockmanager/driver.js';
import { instance, nodeItself } from './helpers/instance.js';

const nfsd = mkdtempSync(path.join(tmpdir(), 'nlm-failover-nfsd-'));
test.after.always(() => rmSync(nfsd, { recursive: true }));

const nowhere: Situation = {
  instance: instance(nfsd),
  instanceHere: false,
  onHost: undefined,
  takesOver: true,
  node: nodeItself(realHost),
};
const config = { nfsd, restart: ['true'] as const };
/** Never able to make an instance, whatever this machine is. */
const unable: Host = { ...realHost, kind: 'rehearsal' };

async function chosen(situation: Partial<Situation>, host = unable) {
  const choice = await chooseDriver(host, { ...config, driver: 'auto' }, { ...nowhere, ...situation });
  return `${choice.driver.name}: ${choice.why}`;
}

test.serial('auto: what serves the address here goes on, whatever the host could do', async (t) => {
  t.is(await chosen({ instanceHere: true }), 'lockd-netns: auto: its instance is here');
  const onHost = '10.10.1.1 is up on eth0';
  t.is(await chosen({ onHost }), `lockd: auto: no ${nfsd}/nlm_unlock, and ${onHost}`);
});

test.serial('auto: no instance where somebody else makes the address or the exports', async (t) => {
  t.regex(await chosen({ takesOver: false }), /^lockd: .*the address and its exports are not for us to make/);
});

test.serial('auto: lockd where no instance can be made, and it says why', async (t) => {
  t.regex(await chosen({}), /^lockd: auto: no .*nlm_unlock, and no instance: a rehearsal has no kernel/);
});

test.serial('a driver by name is refused while another one serves the address here', async (t) => {
  const onHost = '10.10.1.1 is up on eth0';
  const refused = async (driver: 'lockd' | 'lockd-netns', situation: Partial<Situation>) =>
    t.throwsAsync(chooseDriver(unable, { ...config, driver }, { ...nowhere, ...situation }));
  t.like(await refused('lockd-netns', { onHost }), {
    code: 'SERVED_OTHERWISE',
    exitCode: 3,
    message: `${onHost}, on the host itself and not in an instance, while the configuration says driver "lockd-netns"`,
  });
  t.like(await refused('lockd', { instanceHere: true }), { code: 'SERVED_OTHERWISE', exitCode: 3 });
  t.like(await refused('lockd-netns', {}), { code: 'NO_INSTANCES', exitCode: 3 });
});

test.serial(
  'an instance that is here is the driver lockd-netns’s, also where no other could be made',
  async (t) => {
    const choice = await chooseDriver(
      unable,
      { ...config, driver: 'lockd-netns' },
      { ...nowhere, instanceHere: true },
    );
    t.is(choice.driver.name, 'lockd-netns');
  },
);

test.serial(
  'auto needs both entries of the 2006 interface; asked for by name, their absence is an error',
  async (t) => {
    const error = await t.throwsAsync(chooseDriver(unable, { ...config, driver: 'nlm-fsid' }, nowhere));
    t.regex(error.message, /cannot do the lock manager driver nlm-fsid: .*nlm_unlock is not there/);
    writeFileSync(path.join(nfsd, 'nlm_unlock'), '');
    t.regex(await chosen({}), /^lockd: auto: no .*nlm_set_ip_grace/);
    writeFileSync(path.join(nfsd, 'nlm_set_ip_grace'), '');
    t.is(await chosen({}), `nlm-fsid: auto: ${nfsd}/nlm_unlock is there`);
  },
);

test.serial('auto: no instance for Kerberos, which needs a daemon that an instance has not', async (t) => {
  const kerberos = { ...instance('/nowhere'), exportOptions: ['rw', 'rw,sec=sys:krb5p'] };
  const choice = await chooseDriver(
    realHost,
    { nfsd: '/nowhere', restart: ['true'], driver: 'auto' },
    { ...nowhere, instance: kerberos },
  );
  t.is(choice.driver.name, 'lockd');
  t.regex(choice.why, /sec=krb5 needs gssproxy/);
});
