// The case files for ocft of resource-agents: it reads them, and runs them on a rehearsal host, our agents by their link. That is a minute for
// each, as it looks once a second whether an action has ended, so it is done with NLM_FULL=1 alone; ocf-tester is run in test/callouts/ocf.test.ts.
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { withNetns } from '../helpers/netns.js';
import { allAgents } from '../helpers/ocf-agent.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';
import { netnsTest as test } from './netns-test.js';

const address = '127.77.31.1';
const callouts = path.join(projectRoot(), 'callouts');

/** An /usr/lib/ocf with our link, and cases of its own: nothing of the machine's is changed. */
const place = `
mkdir -p /run/ocf /run/ocf-work /run/cases /run/resource-agents
mount -t overlay -o lowerdir=/usr/lib/ocf,upperdir=/run/ocf,workdir=/run/ocf-work overlay /usr/lib/ocf
rm -rf /usr/lib/ocf/resource.d/nlm-failover
ln -s "$1/ocf" /usr/lib/ocf/resource.d/nlm-failover
mkdir -p /var/lib/resource-agents
mount --bind /run/cases /var/lib/resource-agents
`;

if (existsSync('/usr/sbin/ocft')) {
  for (const name of allAgents) {
    test(`${name}: ocft reads its cases, and with NLM_FULL=1 each ends as its file says`, async (t) => {
      t.timeout(300_000);
      const isShared = name === 'ganesha';
      const site = makeRehearsal({
        address,
        rpcbindPort: 1,
        ...(isShared ? { stateDirectory: '/shared_storage', shared: true } : {}),
      });
      t.teardown(() => site.remove());
      chmodSync(site.directory, 0o755);
      const { a } = site;
      const all = 'managed_by_others = ["mount", "export", "address"]';
      const text = a.read('/etc/nlm-failover.toml');
      if (isShared) mkdirSync(path.join(a.root, 'shared_storage'));
      else if (name !== 'address')
        a.write('/etc/nlm-failover.toml', text.replace('interface = "eth0"', `interface = "eth0"\n${all}`));
      const others = (...commands: string[]) =>
        [process.execPath, path.join(import.meta.dirname, 'ocft-others.js'), a.root, ...commands]
          .map((word) => `'${word}'`)
          .join(' ');
      const locks = (action: string) =>
        `OCF_RESKEY_address=${address} OCF_RESKEY_config=${a.config} /usr/lib/ocf/resource.d/nlm-failover/locks ${action}`;
      const mount = others('mount -t ext4 /dev/state1 /mnt/state1', 'mount -t ext4 /dev/vol1 /mnt/vol1');
      const serve = others(
        'exportfs -i -o rw,fsid=1234 *:/mnt/vol1',
        `ip address add ${address}/24 dev eth0`,
      );
      const netns = await withNetns(t);
      await netns.run('sh', '-ec', place, 'sh', callouts);
      const env = {
        NLM_FAILOVER_REHEARSAL: a.root,
        OCFT_ADDRESS: address,
        OCFT_CONFIG: a.config,
        OCFT_PREPARE: isShared
          ? 'true'
          : name === 'notify'
            ? `${mount} && ${locks('start')} && ${serve}`
            : mount,
      };
      const cases = `nlm-failover-${name}`;
      const made = netns.start('ocft', ['make', '-d', path.join(callouts, 'ocf/ocft'), cases]);
      t.is(await made.exited, 0, made.output());
      if (process.env['NLM_FULL'] !== '1') return;
      const tested = netns.start('ocft', ['test', cases], env);
      const code = await tested.exited;
      t.is(code, 0, tested.output());
      const results = tested.output().match(/ - .*OK/g) ?? [];
      t.is(results.length, made.output().match(/- case \d+/g)?.length ?? 0, tested.output());
    });
  }
}
