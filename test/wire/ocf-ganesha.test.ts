// What ocf:nlm-failover:ganesha sees of the real ganesha.nfsd, rpc.statd and D-Bus, and how it starts and stops it by a unit.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { withNetns } from '../helpers/netns.js';
import { agentFile, ocf } from '../helpers/ocf-agent.js';
import { GaneshaServer, ganeshaMissing } from './ganesha-server.js';
import { netnsTest as test } from './netns-test.js';
import { startStatd } from './statd.js';
import { waitFor } from './wait-for.js';

const config = `
node = "A"
[state]
directory = "/run/state"
[lock_manager]
driver = "ganesha"
ganesha_conf = "/run/ganesha.conf"
[[shared_filesystem]]
export_id = 7
mountpoint = "/run/shared"
nodes = ["A", "B"]
[[floating_ip]]
address = "10.99.0.100/24"
interface = "lo"
`;

/** systemctl, as no systemd runs in the namespace: "start -- nfs-ganesha.service" and "stop" with the real program. */
const systemctl = `#!/bin/sh
[ "$2 $3" = '-- nfs-ganesha.service' ] || exit 5
case $1 in
start) [ -e /run/ganesha.pid ] || ganesha.nfsd -f /run/ganesha.conf -L /run/ganesha.log -p /run/ganesha.pid -N NIV_EVENT ;;
stop) [ ! -e /run/ganesha.pid ] || { kill -s KILL "$(cat /run/ganesha.pid)" && rm /run/ganesha.pid; } ;;
esac
`;

if (ganeshaMissing() === undefined) {
  test('the real NFS-Ganesha, rpc.statd and D-Bus: each that is missing or hangs is named', async (t) => {
    t.timeout(120_000);
    const netns = await withNetns(t);
    const server = new GaneshaServer(netns);
    await mkdir(netns.path('/run/state'), { mode: 0o755 });
    await mkdir(netns.path('/run/bin'));
    await writeFile(netns.path('/run/nlm-failover.toml'), config);
    const stubs = {
      systemctl,
      attrd_updater: '#!/bin/sh\necho "$*" >>/run/told\n',
      crm_attribute: '#!/bin/sh\nexit 6\n',
    };
    for (const [name, text] of Object.entries(stubs))
      await writeFile(netns.path(`/run/bin/${name}`), text, { mode: 0o755 });
    const agent = async (action: string, env: Record<string, string> = {}) => {
      const program = netns.start(agentFile('ganesha'), [action], {
        OCF_RESKEY_config: '/run/nlm-failover.toml',
        OCF_RESKEY_CRM_meta_interval: '10000',
        OCF_RESKEY_crm_feature_set: '3.16.2',
        OCF_RESOURCE_INSTANCE: 'nfs-ganesha',
        PATH: `/run/bin:${process.env['PATH'] ?? '/usr/bin:/bin'}`,
        ...env,
      });
      program.end();
      const code = await program.exited;
      const [, reason = ''] = /^ocf-exit-reason:(.*)$/m.exec(program.output()) ?? [];
      return { code, reason, output: program.output() };
    };
    const isIll = async (reason: RegExp, action = 'monitor', env: Record<string, string> = {}) => {
      const said = await agent(action, env);
      t.is(said.code, ocf.generic, said.output);
      t.regex(said.reason, reason);
    };
    const isWell = async (action = 'monitor', env: Record<string, string> = {}) => {
      const said = await agent(action, env);
      t.is(said.code, ocf.success, said.output);
    };
    /** What the cluster was told since this was asked last. */
    const told = async () => {
      const text = await readFile(netns.path('/run/told'), 'utf8').catch(() => '');
      await rm(netns.path('/run/told'), { force: true });
      return text.split('\n').filter((line) => line !== '');
    };
    const deep = { OCF_CHECK_LEVEL: '10' };

    await server.startBeside();
    await isWell('start');
    t.deepEqual(await told(), [], 'it answers calls, and no address comes');
    await isIll(/^NFS-Ganesha is dead$/);
    await server.startBus();
    const unit = { OCF_RESKEY_unit: 'nfs-ganesha.service' };
    await isWell('start', unit);
    t.not(await server.grace(), undefined, 'it was waited for');
    for (const env of [{}, deep]) await isWell('monitor', env);

    const pid = server.pid('ganesha.nfsd');
    process.kill(pid, 'SIGSTOP');
    await isIll(/^NFS-Ganesha \(pid \d+\) is stopped, by a signal or a debugger$/);
    process.kill(pid, 'SIGCONT');
    await isWell();
    server.signal('rpc.statd', 'SIGKILL');
    await isIll(/^rpc\.statd is dead$/);
    await startStatd(netns);
    await isWell();
    await server.stopped('dbus-daemon', () => isIll(/^D-Bus does not answer: /));
    await isWell();
    // As after a new start of it, where NFS-Ganesha does not end with the old one.
    const other = 'unix:path=/run/dbus/other';
    const words = ['--config-file=/usr/share/dbus-1/system.conf', '--nofork', '--nopidfile'];
    const bus = netns.start('dbus-daemon', [...words, `--address=${other}`, '--print-address']);
    await bus.saw(/unix:/);
    await isIll(/^NFS-Ganesha is not on the D-Bus/, 'monitor', { OCF_RESKEY_bus: other });

    await isWell('stop', unit);
    t.is((await told()).at(-1), '--name=nlm-failover-ganesha --delete');
    t.is((await agent('monitor')).code, ocf.notRunning);
    await isWell('start', unit);
    t.deepEqual(await told(), ['--name=nlm-failover-ganesha --update=1']);
    server.signal('ganesha.nfsd', 'SIGKILL');
    await waitFor('its end', async () => (await server.grace()) === undefined);
    await isIll(/^NFS-Ganesha is dead$/);
    await isWell('stop');
    t.is((await agent('monitor')).code, ocf.notRunning);
  });
}
