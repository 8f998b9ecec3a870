import { type Action, type HostContext, notSo } from '../action.js';
import { findAddress } from '../reading/addresses.js';
import { carriesFsid, exported, isOfPath } from '../reading/exports.js';
import type { Host } from '../host.js';
import { isMountOf, mountAt } from '../reading/mounts.js';
import type { AddressOnInterface } from './address.js';
import { type ExportedFilesystem, expectOnFilesystem } from './exports.js';

// What somebody else does of an address (managed_by_others): it is looked at where it must be so, and never done.

/** An action that only looks; `look` throws where it is not so. `key`: by which the configuration leaves it to others. */
function onlyLook(
  command: string,
  look: (host: Host) => void | Promise<void>,
  key = 'managed_by_others',
): Action<HostContext> {
  return {
    commands: [`# ${command}: somebody else sees to that (${key})`],
    check: async ({ host }) => {
      await look(host);
      return true;
    },
    act: async () => undefined,
    verify: () => undefined,
  };
}

const goOn = 'Then run the same command again.';

/** B-1: a file system is mounted, and where the configuration has a device, it is that one. */
export function expectMounted(
  { device, mountpoint }: Pick<ExportedFilesystem, 'device' | 'mountpoint'>,
  key: string,
): Action<HostContext> {
  const what = device === '' ? 'a file system' : device;
  const look = (host: Host) => {
    const mount = mountAt(host, mountpoint);
    if (mount === undefined) {
      throw notSo(
        'B-1',
        `Nothing is mounted on ${mountpoint}, and nlm-failover does not mount it (${key})`,
        `Have it mounted by whoever does. ${goOn}`,
      );
    }
    if (!isMountOf(host, mount, device)) {
      throw notSo(
        'B-1',
        `${mountpoint} has ${mount.source} mounted, and the configuration says ${device}`,
        `Have that mounted, or correct "device" in the configuration. ${goOn}`,
      );
    }
  };
  return onlyLook(`${what} is mounted on ${mountpoint}`, look, key);
}

/** B-5: a path is exported, with the fsid that every node gives it. To whom, is not looked at. */
export function expectExported(path: string, filesystem: ExportedFilesystem): Action<HostContext> {
  const { fsid } = filesystem;
  return onlyLook(`${path} is exported with fsid=${fsid}`, (host) => {
    expectOnFilesystem(host, path, filesystem);
    const entries = exported(host).filter((entry) => isOfPath(host, entry, path));
    if (entries.length === 0) {
      throw notSo(
        'B-5',
        `${path} is not exported, and nlm-failover does not export it (managed_by_others)`,
        `Have it exported by whoever does, with fsid=${fsid}. ${goOn}`,
      );
    }
    const otherwise = entries.filter((entry) => !carriesFsid(entry, fsid)).map(({ clients }) => clients);
    if (otherwise.length > 0) {
      throw notSo(
        'B-5',
        `${path} is exported to ${otherwise.join(', ')} without fsid=${fsid}: another node hands out other file handles`,
        `Have it exported with fsid=${fsid} on every node. ${goOn}`,
      );
    }
  });
}

/** B-4: the address is up on its interface. */
export function expectAddressUp({ address, interface: device }: AddressOnInterface): Action<HostContext> {
  return onlyLook(`${address} is up on ${device}`, async (host) => {
    const here = await findAddress(host, address);
    if (here?.interface === device) return;
    throw notSo(
      'B-4',
      `${address} is ${here === undefined ? 'not up' : `up on ${here.interface}, and not on ${device}`}, and nlm-failover does not move it (managed_by_others)`,
      `Have it brought up by whoever does, before nlm-failover. ${goOn}`,
    );
  });
}

/** A-1: the address is down: a lock that a client still took through it would be recorded by nobody, and lost. */
export function expectAddressDown({ address }: AddressOnInterface): Action<HostContext> {
  return onlyLook(`${address} is down`, async (host) => {
    const here = await findAddress(host, address);
    if (here === undefined) return;
    throw notSo(
      'A-1',
      `${address} is still up on ${here.interface}, and nlm-failover does not move it (managed_by_others): no lock was touched`,
      `Have it taken down by whoever does, before nlm-failover releases it. ${goOn}`,
    );
  });
}
