import type { Lab } from './lab.js';
import type { Server } from './server.js';
import { configure, nlmFailover, type SiteOptions } from './site.js';

/** What Debian's units start at a boot of a server, in one transaction: their order is systemd's. */
const bootTarget = `[Unit]
Wants=local-fs.target network.target nfs-server.service
After=local-fs.target network.target nfs-server.service
`;

/**
 * A as its distribution has it: the units of nfs-utils in place of the lab's own daemons, with the shortest grace. Once in each boot, as only
 * disks survive.
 */
export async function prepareSystemd(server: Server): Promise<void> {
  const script = `set -e
    kill $(pidof rpcbind)
    rm -f /run/rpcbind.sock /run/rpcbind.lock
    mkdir -p /etc/nfs.conf.d
    printf '[nfsd]\\nvers4=n\\nthreads=4\\ngrace-time=10\\nlease-time=10\\n' >/etc/nfs.conf.d/lab.conf
    echo 10 >/proc/sys/fs/nfs/nlm_grace_period
    printf %s "$1" >/etc/systemd/system/lab-boot.target
    until [ -S /run/systemd/private ]; do sleep 0.1; done
    systemctl daemon-reload`;
  await server.run(script, { args: [bootTarget] });
}

/** With nlm-failover, which is configured. */
export async function prepareReboot(lab: Lab, server: Server, options: SiteOptions): Promise<void> {
  await prepareSystemd(server);
  await configure(lab, server, [lab.moving], {
    ...options,
    graceSeconds: 10,
    restart: ['systemctl', 'restart', 'nfs-server'],
  });
}

/** `nlm-failover setup`. Resolves to the states of what it saw to. */
export async function setUp(server: Server): Promise<Readonly<Record<string, string>>> {
  const { lines } = await nlmFailover(server, ['setup']);
  return Object.fromEntries(
    (lines as readonly { item?: string; state?: string }[]).map(({ item = '', state = '' }) => [item, state]),
  );
}

const kept = ['/etc/nfs.conf.d', '/etc/systemd/system'];

/** What setup has written in /etc, and what is beside it, which is gone with the boot here: put by, or put back. */
export async function keepEtc(lab: Lab, server: Server, way: 'away' | 'back'): Promise<void> {
  const archive = `${lab.directory}/etc.tar`;
  await server.run(way === 'away' ? 'tar -cPf "$@"' : 'tar -xPf "$1" && systemctl daemon-reload', {
    args: [archive, ...(way === 'away' ? kept : [])],
  });
}

/** Everything that is started at boot, with the unit of the address where there is one; resolves when that has ended. */
export async function startAtBoot(server: Server, unit?: string): Promise<void> {
  await server.run(['systemctl', 'start', 'lab-boot.target', ...(unit === undefined ? [] : [unit])], {
    timeoutSeconds: 300,
  });
}

/** A clean reboot: systemd stops everything in its order, then a new kernel boots. */
export async function rebootCleanly(server: Server): Promise<void> {
  await server.switchOff(['systemctl', 'poweroff']);
  await server.boot();
}
