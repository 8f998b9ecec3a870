import { addressRange, canonicalAddress } from '../../config/address.js';
import { isHostName } from '../../config/names.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { type LocalAddress, localAddresses } from '../../host/reading/addresses.js';
import type { Host } from '../../host/host.js';
import type { ExportEntry } from '../../host/reading/exports.js';
import { exportedHere, exportOf, fsidOf, type OnMount } from './exported-here.js';
import type { FoundExport, FoundFilesystem, FoundSite } from './found.js';
import { derivedFsid, deviceOf, isOfDevice, optionsOf, stateOf } from './mounted-here.js';

/**
 * What runs on this host, as the site of one floating IP: the address given, or the only one that it can be. Touches nothing. Throws
 * FailoverError UNKNOWN_ADDRESS, exit code 2, where the address must be given.
 */
export async function describeSite(host: Host, given: string | undefined): Promise<FoundSite> {
  const local = await localAddresses(host);
  const { on, leftOut } = exportedHere(host);
  const { address, prefix, interface: link } = addressOf(local, given, on.length > 0);
  const filesystems: FoundFilesystem[] = [];
  const refused: string[] = [];
  // etab has them in an order of its own, which changes.
  for (const one of on.toSorted((a, b) => (a.mount.mountpoint < b.mount.mountpoint ? -1 : 1))) {
    const exports = one.entries.toSorted(byPath).map(exportOf);
    refused.push(...exports.filter((entry) => typeof entry === 'string'));
    filesystems.push(
      await filesystemOf(
        host,
        one,
        exports.filter((entry) => typeof entry !== 'string'),
      ),
    );
  }
  return {
    address,
    prefix,
    interface: link,
    names: address === undefined ? [] : await namesOf(host, address),
    ...(await stateOf(
      host,
      address,
      on.map(({ mount }) => mount),
    )),
    isMountedByOthers: on.some(({ mount }) => !isOfDevice(host, mount)),
    filesystems: filesystems.filter(({ exports }) => exports.length > 0),
    leftOut: [...leftOut, ...refused],
  };
}

function byPath(a: ExportEntry, b: ExportEntry): number {
  return `${a.path}\t${a.clients}` < `${b.path}\t${b.clients}` ? -1 : 1;
}

async function filesystemOf(
  host: Host,
  { mount, entries }: OnMount,
  exports: readonly FoundExport[],
): Promise<FoundFilesystem> {
  return {
    fsid: await fsidOf(entries, () => derivedFsid(host, mount)),
    device: deviceOf(host, mount),
    mountpoint: mount.mountpoint,
    type: mount.type,
    options: optionsOf(mount),
    exports,
  };
}

function addressOf(
  local: readonly LocalAddress[],
  given: string | undefined,
  isServing: boolean,
): Pick<FoundSite, 'address' | 'prefix' | 'interface'> {
  const outside = local.filter((one) => !/^(?:127\.|::1$|fe80:)/i.test(one.address));
  if (given === undefined) {
    const [only, ...others] = outside;
    // A node that exports nothing has its own address, which stays: no release may take it away.
    if (only !== undefined && others.length === 0 && !isServing) {
      const about = `${only.address} is this node's own, which stays, and nothing is exported here`;
      const missing = 'the floating IP/prefix length, beside the address of the node';
      return {
        address: undefined,
        prefix: { value: undefined, wanted: missing, about },
        interface: { value: only.interface, about: 'GUESSED: the only one with an address' },
      };
    }
    if (only !== undefined && others.length === 0) {
      const about =
        'GUESSED: the only address of this node. A floating IP is one beside that of the node, which stays';
      return {
        address: only.address,
        prefix: { value: only.prefix, about },
        interface: { value: only.interface },
      };
    }
    throw unknown(
      only === undefined
        ? 'This node has no address but that of its loopback: which one is to move must be said'
        : `This node has several addresses (${outside.map(({ address }) => address).join(', ')}): which one is to move must be said`,
    );
  }
  const address = canonicalAddress(given.replace(/\/\d+$/, ''));
  if (address === undefined) throw unknown(`"${given}" is no address`);
  const [, length] = /\/(\d+)$/.exec(given) ?? [];
  const here = local.find((one) => one.address === address);
  if (here !== undefined)
    return { address, prefix: { value: here.prefix }, interface: { value: here.interface } };
  const near = outside.find((one) => isIn(address, `${one.address}/${one.prefix}`));
  return {
    address,
    prefix:
      length !== undefined
        ? { value: Number(length) }
        : near === undefined
          ? { value: undefined, wanted: 'the prefix length' }
          : {
              value: near.prefix,
              about: `GUESSED: it is not up here, and ${near.address} is in its network`,
            },
    interface:
      near === undefined
        ? {
            value: undefined,
            wanted: 'the network interface that it goes on',
            about: 'It is not up here, and no interface has its network',
          }
        : {
            value: near.interface,
            about: `GUESSED: it is not up here, and ${near.address} is in its network`,
          },
  };
}

function isIn(address: string, network: string): boolean {
  const [one, range] = [addressRange(address), addressRange(network)];
  return (
    one !== undefined &&
    range !== undefined &&
    one.family === range.family &&
    range.first <= one.first &&
    one.last <= range.last
  );
}

/** What the name service calls the address: a guess, as clients may mount from it by another name. */
async function namesOf(host: Host, address: string): Promise<readonly string[]> {
  if (host.kind === 'rehearsal') return [];
  const { exitCode, stdout } = await host.run(['getent', 'hosts', address], { short: true });
  const [, ...names] = exitCode === 0 ? (stdout.split('\n')[0] ?? '').trim().split(/\s+/) : [];
  return [...new Set(names)].filter(isHostName);
}

function unknown(message: string): FailoverError {
  return new FailoverError(message, {
    code: 'UNKNOWN_ADDRESS',
    exitCode: exitCodes.usage,
    operation: 'init',
    hint: 'Name it: nlm-failover init ADDRESS.',
  });
}
