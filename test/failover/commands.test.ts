// What a release and a takeover do stands in the plan that --dry-run prints: every command and every write, action by action.
import path from 'node:path';
import { mkdirSync } from 'node:fs';
import test from 'ava';
import type { FailoverContext } from '../../src/failover/context.js';
import { release } from '../../src/failover/operations/release.js';
import { takeover } from '../../src/failover/operations/takeover.js';
import { planRelease, planTakeover } from '../../src/failover/plan.js';
import type { Plan } from '../../src/failover/steps/steps.js';
import type { Action } from '../../src/host/action.js';
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import { drivers } from '../../src/lockmanager/drivers.js';
import { type Recording, recording, unsaid } from '../helpers/effects.js';
import { rehearsalContext } from '../helpers/rehearsal-context.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';

const nfsd = '/proc/fs/nfsd';
const silent = { begin: () => undefined, end: () => undefined };

/** The plan, each part of each action of which tells what it did, and whether its commands say so. */
function watched(plan: Plan, { take }: Recording, seen: string[], drifted: string[]): Plan {
  const watch = (name: string, action: Action<FailoverContext>): Action<FailoverContext> => {
    const judge = (): void => {
      const effects = take();
      seen.push(...effects.map((effect) => `${name} ${effect}`));
      drifted.push(...unsaid(effects, action.commands).map((effect) => `${name} ${effect}`));
    };
    return {
      ...action,
      check: async (context) => {
        const isSo = await action.check(context);
        judge();
        return isSo;
      },
      act: async (context) => {
        const remark = await action.act(context);
        judge();
        return remark;
      },
      verify: async (context) => {
        await action.verify(context);
        judge();
      },
    };
  };
  const steps = plan.steps.map((step) => ({
    ...step,
    actions: step.actions.map((action) => watch(step.name, action)),
  }));
  return { ...plan, steps };
}

for (const module of drivers.filter(({ servesFrom }) => servesFrom === 'node')) {
  for (const address of ['127.77.6.1', 'fd77::6']) {
    test(`${module.name}, ${address}: every command and write of a takeover and a release is in its plan`, async (t) => {
      t.timeout(60_000);
      const site = makeRehearsal({
        address,
        rpcbindPort: 1,
        stateDirectory: '/shared',
        fsids: [1234, 5678],
        driver: module.name,
      });
      t.teardown(() => site.remove());
      const { a } = site;
      mkdirSync(path.join(a.root, 'shared'));
      for (const file of ['nlm_unlock', 'nlm_set_ip_grace']) a.write(`${nfsd}/${file}`, '');
      a.write(`${nfsd}/threads`, '8\n');
      for (const family of ['ipv4', 'ipv6'])
        mkdirSync(a.path(`/proc/sys/net/${family}/conf/eth0`), { recursive: true });
      a.write('/proc/sys/net/ipv4/conf/eth0/promote_secondaries', '0\n');
      a.write('/proc/sys/net/ipv6/conf/eth0/ndisc_notify', '0\n');
      const record = recording(rehearsalHost(a.root));
      const contextOf = () => rehearsalContext(a, { host: record.host }, (one) => module.make(one));
      const seen: string[] = [];
      const drifted: string[] = [];
      const taking = await contextOf();
      const { floatingIp, driver } = taking;
      const plan = planTakeover(floatingIp, driver, { node: 'A', order: 'safe' });
      await takeover(watched(plan, record, seen, drifted), taking, silent);
      // Another address of the interface, which goes with the first one unless the kernel is set to keep it.
      const rows = JSON.parse(a.read('/addresses.json')) as unknown[];
      const other = { local: '127.77.6.2', prefixlen: 24, secondary: true };
      a.write('/addresses.json', JSON.stringify([...rows, { ifname: 'eth0', addr_info: [other] }]));
      // The rehearsal's kernel drops locks only where they are dropped by file system.
      if (!driver.gracePerFsid) a.write('/proc/locks', '1: POSIX  ADVISORY  WRITE 7 07:01:11 0 EOF\n');
      const releasing = await contextOf();
      const planned = planRelease(floatingIp, releasing.driver);
      await release(watched(planned, record, seen, drifted), releasing, silent);
      t.deepEqual(drifted, []);
      // RemoveExport takes the locks too.
      const dropsWithExport = module.name === 'ganesha';
      t.deepEqual(
        [...new Set(seen.map((effect) => effect.slice(0, 3)))],
        ['B-1', 'B-2', 'B-5', 'B-4', 'A-1', 'A-2', ...(dropsWithExport ? [] : ['A-3']), 'A-4'],
      );
    });
  }
}
