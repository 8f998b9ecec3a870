// Real keepalived on A, where systemd runs, and on B, where none does: it elects, and what its notify script hands over to moves the address
// with its locks. keepalived fences nobody; what proves that a node is down is the command of [fencing].
import type { ExecutionContext } from 'ava';
import { startPowerSwitch } from './cluster/power-switch.js';
import type { Lab } from './lab.js';
import { inGuest } from './project-root.js';
import {
  dataFile,
  file,
  type Locked,
  lockThrough,
  patientSeconds,
  prepareServers,
  scenario,
} from './scenario.js';
import type { Server } from './server.js';
import { nlmFailover, stateDisk } from './site.js';

/** Seconds for which a takeover waits here for the other node's release, instead of 60. */
const patience = 8;
const unitLog = '/run/lab/unit.log';
const keepalivedLog = '/run/lab/keepalived.log';

scenario(
  'keepalived: planned, two masters, and a dead node without and with a fence command',
  async (t, lab) => {
    const { a, b, disks, moving } = lab;
    const { address } = moving;
    const fenced = startPowerSwitch(lab);
    await prepareServers(lab, [moving], { driver: 'auto', failback: true });
    await Promise.all([a, b].map((server) => setUpKeepalived(server, [a, b], address)));
    await startKeepalived(a);
    await untilSays(a, unitLog, '^  B-3 ');
    await a.endGrace(address);
    const [locked] = await Promise.all([lockThrough(lab, moving), startKeepalived(b)]);
    await assertStartedAnew(t, lab, locked);

    // Planned: A does not stand for it any more.
    await stand(a, address, false);
    t.true(await b.untilLocked(disks.vol1.device, 1, patientSeconds));
    t.deepEqual(await daemonUnits(a, address), [], 'they are gone with the instance');
    await assertHeldBy(t, lab, b, locked);

    // They do not hear each other, and A stands for it again: both are MASTER.
    await hear([a, b], false);
    await stand(a, address, true);
    t.is(await refusedWith(a, address), 4);
    const state = disks[stateDisk(moving)].device;
    const refusal = new RegExp(
      `^nlm-failover: ${state} was not unmounted cleanly: another node has it`,
      'gmu',
    );
    t.is([...(await a.read(unitLog)).matchAll(refusal)].length, 1);
    t.is(await electedAs(b), 'MASTER');
    await assertHeldBy(t, lab, b, locked);
    await hear([a, b], true);

    // B dies. Nobody proves that: A is refused, and does not try again.
    await stand(a, address, true);
    await untilSays(a, keepalivedLog, 'Entering BACKUP(?!.*Entering)');
    const cut = Date.now();
    await b.powerCut();
    t.is(await refusedWith(a, address), 4);
    t.log(`refused ${secondsSince(cut)} s after the power cut`);
    t.is([...(await a.read(unitLog)).matchAll(refusal)].length, 2);
    t.deepEqual(await volumesOn(lab, a), []);
    t.deepEqual(fenced, []);

    // With a command that proves it.
    await a.run(`cp ${inGuest('test/lab/sh/fence_lab')} /usr/sbin/fence_lab
      printf '[fencing]\\ncommand = ["/usr/sbin/fence_lab", "--action=off", "--plug={node}"]\\n' >/run/lab/fencing
      cat /run/lab/fencing >>/etc/nlm-failover.toml`);
    const begun = Date.now();
    await stand(a, address, true);
    t.true(await a.untilLocked(disks.vol1.device, 1, patientSeconds));
    const [once, ...more] = fenced;
    t.like(once, { by: 'A', node: 'B' });
    t.deepEqual(more, []);
    t.log(
      `with the command: fenced ${((once?.asked ?? 0) - begun) / 1000} s after A stood for it, lock back after ${secondsSince(begun)} s`,
    );
    await assertHeldBy(t, lab, a, locked);
    t.regex((await nlmFailover(a, ['history', address])).stdout, /fenced by \/usr\/sbin\/fence_lab/);

    // keepalived is killed, and says nothing: the address stays.
    await a.run(`systemctl kill --signal=KILL keepalived.service
      while systemctl is-active --quiet keepalived.service; do sleep 0.3; done`);
    t.is((await nlmFailover(a, ['status', '--is-served', address], false)).exitCode, 0);
    await assertHeldBy(t, lab, a, locked);

    // What the others had registered with it is gone: it is not started anew.
    await killUnit(a, address, 'rpcbind');
    t.is((await nlmFailover(a, ['status'], false)).exitCode, 1);
    t.like(await daemonUnits(a, address), { length: 2 });
  },
  { systemdOnA: true, commands: ['keepalived'], minutes: 20 },
);

/** The transient units of an instance's daemons, and what they are. */
async function daemonUnits(server: Server, address: string): Promise<string[]> {
  const list = ['systemctl', 'list-units', '--all', '--plain', '--no-legend', `nlm-failover-${address}-*`];
  const lines = (await server.run(list)).stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => line.split(/\s+/u).slice(0, 4).join(' '));
}

/** Kills the process of a daemon's unit. */
async function killUnit(server: Server, address: string, name: string): Promise<void> {
  await server.run(['systemctl', 'kill', '--signal=KILL', `nlm-failover-${address}-${name}.service`]);
}

/** Of the daemons of an instance systemd starts one anew that dies, and it announces whom lockd monitors now: the lock's holder gets into the record. */
async function assertStartedAnew(
  t: ExecutionContext,
  { a, site }: Lab,
  { address, holder }: Locked,
): Promise<void> {
  t.deepEqual(
    await daemonUnits(a, address),
    ['rpc.mountd', 'rpc.statd', 'rpcbind'].map(
      (name) => `nlm-failover-${address}-${name}.service loaded active running`,
    ),
  );
  const statd = `nlm-failover-${address}-rpc.statd.service`;
  const mainPid = `systemctl show --property=MainPID --value ${statd}`;
  const { stdout: before } = await a.run(mainPid);
  await killUnit(a, address, 'rpc.statd');
  // After 100 ms (RestartSec), and then it registers.
  const script = `until [ "$(${mainPid})" != "$1" ] && [ "$(${mainPid})" != 0 ]; do sleep 0.2; done
    until ip netns exec "nfs-$2" rpcinfo -T udp 127.0.0.1 status >/dev/null; do sleep 0.2; done`;
  await a.run(script, { args: [before.trim(), address], timeoutSeconds: 120 });
  t.is((await nlmFailover(a, ['status'], false)).exitCode, 0);
  t.true((await nlmFailover(a, ['clients'])).stdout.includes(site.addressOf(holder)));
}

/** `nlm-failover setup --keepalived`, as on any node, and where the lab looks. */
async function setUpKeepalived(server: Server, nodes: readonly Server[], address: string): Promise<void> {
  const peers = nodes.flatMap((node) => ['--peer', node.address]);
  await nlmFailover(server, ['setup', '--keepalived', ...peers]);
  const script = `set -e
    unit=/etc/systemd/system/nlm-failover@$1.service.d/nlm-failover-keepalived.conf
    sed -i 's/--await-release=.*/--await-release=${patience}/' "$unit"
    log() { printf 'StandardOutput=append:%s\\nStandardError=append:%s\\n' "$1" "$1"; }
    log ${unitLog} >>"$unit"
    [ -d /run/systemd/system ] || exit 0
    mkdir -p /etc/systemd/system/keepalived.service.d
    { echo '[Service]'; log ${keepalivedLog}; } >/etc/systemd/system/keepalived.service.d/lab.conf
    echo 'DAEMON_ARGS="--log-console --log-detail"' >/etc/default/keepalived
    until [ -S /run/systemd/private ]; do sleep 0.1; done
    systemctl daemon-reload`;
  await server.run(script, { args: [address] });
}

async function startKeepalived(server: Server): Promise<void> {
  const script = `if [ -d /run/systemd/system ]; then exec systemctl start keepalived.service; fi
    setsid keepalived --dont-fork --log-console --log-detail >${keepalivedLog} 2>&1 &`;
  await server.run(script, { timeoutSeconds: 120 });
}

/** Has a node stand for the address in the election, or not. */
async function stand(server: Server, address: string, isStanding: boolean): Promise<void> {
  await server.write(awayFile(address), isStanding ? '0\n' : '1\n');
}

function awayFile(address: string): string {
  return `/var/lib/nlm-failover/keepalived/${address}.away`;
}

/** Waits until the node has stood down, since the takeover of the unit did not serve the address. Resolves to its exit code. */
async function refusedWith(server: Server, address: string): Promise<number> {
  await untilSays(server, awayFile(address), '^1$').catch(async (error: unknown) => {
    const seen = await server.run(
      `tail -n 30 ${unitLog} ${keepalivedLog}; systemctl status --no-pager "nlm-failover@$1.service"; ip neighbour`,
      { args: [address], reject: false },
    );
    throw new Error(`${server.name} does not stand down:\n${seen.stdout}`, { cause: error });
  });
  const unit = ['systemctl', 'show', '--property=ExecStart', `nlm-failover@${address}.service`];
  const { stdout } = await server.run(unit);
  return Number(/status=(\d+)/u.exec(stdout)?.[1]);
}

/** Waits until a file on a server matches a regular expression of perl; see sh/until-says. */
async function untilSays(server: Server, name: string, pattern: string): Promise<void> {
  await server.run([inGuest('test/lab/sh/until-says'), name, pattern], { timeoutSeconds: patientSeconds });
}

/** What keepalived takes itself for. */
async function electedAs(server: Server): Promise<string | undefined> {
  const log = await server.read(keepalivedLog);
  return [...log.matchAll(/Entering (\w+) STATE/gu)].at(-1)?.[1];
}

/**
 * Whether the servers hear each other; the clients hear them all the time. No route would do: keepalived's socket is bound to the link
 * (Linux net/ipv4/route.c, ip_route_output_key_hash_rcu).
 */
async function hear([one, other]: readonly [Server, Server], isHeard: boolean): Promise<void> {
  const nobody = ['lladdr', '02:00:00:00:00:99', 'nud', 'permanent'];
  const neighbour = (server: Server, peer: Server) => {
    const [change, ...more] = isHeard ? ['del'] : ['replace', ...nobody];
    return server.run(['ip', 'neighbour', change ?? '', peer.address, 'dev', 'vec0', ...more]);
  };
  await Promise.all([neighbour(one, other), neighbour(other, one)]);
}

/** The volumes of the lab that a server has mounted. */
async function volumesOn({ disks }: Lab, server: Server): Promise<string[]> {
  const devices = new Set(Object.values(disks).map(({ device }) => device));
  return (await server.mounts()).map(({ device }) => device).filter((device) => devices.has(device));
}

/** Every witness: one server has the volumes, and its kernel the lock; the rival is refused; the clients' kernel has lost nothing. */
async function assertHeldBy(
  t: ExecutionContext,
  lab: Lab,
  server: Server,
  { address, holder, rival }: Locked,
): Promise<void> {
  for (const one of [lab.a, lab.b].filter(({ isOn }) => isOn))
    t.is((await volumesOn(lab, one)).length > 0, one === server, `${one.name} has volumes`);
  t.is((await server.nfsLocks(lab.disks.vol1.device)).length, 1, `${server.name} holds the lock`);
  await server.endGrace(address);
  t.false(await rival.tryLock(file), 'the rival is refused');
  t.false(await lab.c.clientLogHas('failed to reclaim'), 'no reclaim failed');
  t.is(await holder.read(dataFile), 'written before');
}

function secondsSince(begun: number): string {
  return ((Date.now() - begun) / 1000).toFixed(1);
}
