import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { Host } from '../host.js';

/** Who looks after an interface, and takes off an address that it has not put there itself. */
export interface NetworkManager {
  readonly name: string;
  /** When it takes it off, as a clause. */
  readonly when: string;
  /** What keeps it from that, as a sentence. */
  readonly hint: string;
}

/** Where systemd.network(5) and its drop-ins lie. */
const networkDirectories = ['/etc/systemd/network', '/run/systemd/network', '/usr/lib/systemd/network'];

/** The one that takes foreign addresses off this interface; undefined: none, or it is told to keep them. */
export function takesOffAddresses(host: Host, device: string): NetworkManager | undefined {
  const index = host.readText(`/sys/class/net/${device}/ifindex`)?.trim();
  if (index === undefined || !/^\d+$/.test(index)) return undefined;
  return byNetworkd(host, index) ?? byNetworkManager(host, index, device);
}

/**
 * systemd-networkd, when it starts or reconfigures a link, drops each address that is not in its configuration, unless
 * KeepConfiguration= says static or yes (systemd src/network/networkd-address.c, link_drop_foreign_addresses; systemd.network(5)).
 */
function byNetworkd(host: Host, index: string): NetworkManager | undefined {
  const state = host.readText(`/run/systemd/netif/links/${index}`);
  const [, file] = /^NETWORK_FILE=(.+)$/m.exec(state ?? '') ?? [];
  if (file === undefined || /^ADMIN_STATE=unmanaged$/m.test(state ?? '')) return undefined;
  const base = path.basename(file);
  const dropIns = networkDirectories.flatMap((directory) =>
    listing(host, `${directory}/${base}.d`).map((name) => `${directory}/${base}.d/${name}`),
  );
  // Of the same name only the first counts; the order is that of the names.
  const names = [...new Set(dropIns.map((one) => path.basename(one)))].toSorted();
  const files = [file, ...names.flatMap((name) => dropIns.find((one) => one.endsWith(`/${name}`)) ?? [])];
  const kept = files
    .flatMap((one) => [...(host.readText(one) ?? '').matchAll(/^\s*KeepConfiguration\s*=\s*(\S*)\s*$/gm)])
    .at(-1)?.[1];
  if (/^(?:static|yes|true|on|1)$/i.test(kept ?? '')) return undefined;
  return {
    name: `systemd-networkd (${file})`,
    when: 'when it is restarted or configures the interface anew',
    hint: `Write KeepConfiguration=static under [Network] in /etc/systemd/network/${base}.d/nlm-failover.conf, then: networkctl reload.`,
  };
}

/** NetworkManager keeps a file for each device (src/core/nm-config.c, nm_config_device_state_write): managed, and by which connection. */
function byNetworkManager(host: Host, index: string, device: string): NetworkManager | undefined {
  const state = host.readText(`/run/NetworkManager/devices/${index}`) ?? '';
  if (!/^managed=(?:true|1)$/m.test(state) || !/^connection-uuid=\S/m.test(state)) return undefined;
  return {
    name: 'NetworkManager',
    when: 'when the connection of the interface is brought up anew, or reapplied',
    hint: `Do not bring that connection up anew while the address is here; or leave ${device} to others: unmanaged-devices=interface-name:${device} under [keyfile] in /etc/NetworkManager/conf.d.`,
  };
}

function listing(host: Host, directory: string): string[] {
  try {
    return readdirSync(host.path(directory)).filter((name) => name.endsWith('.conf'));
  } catch {
    return [];
  }
}
