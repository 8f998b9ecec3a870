// Usage: node looks-inside.js JSON: what each look of a list finds on the host it runs on, as sentences; prints JSON.
import { lookAtActions } from '../../src/failover/operations/preflight.js';
import type { Action, HostContext } from '../../src/host/action.js';
import { type AddressOnInterface, addressUp } from '../../src/host/actions/address.js';
import { type ExportedFilesystem, exportPath } from '../../src/host/actions/exports.js';
import { lookAtCarrier } from '../../src/host/actions/looks.js';
import { type MountableFilesystem, mountFilesystem } from '../../src/host/actions/mount.js';
import { mountedAt } from '../../src/host/reading/device-users.js';
import { realHost } from '../../src/host/real.js';
import { within } from '../../src/host/running/deadline.js';
import { rememberedExports } from '../../src/rundir/exported.js';

/** One look: at a mount, at the first export of a file system, at an address; or where a device is mounted, what an interface is linked to. */
export type Look =
  | { readonly mount: MountableFilesystem }
  | { readonly exported: ExportedFilesystem }
  | { readonly address: AddressOnInterface }
  | { readonly carrier: string }
  | { readonly mountedAt: string };

function actionOf(look: Exclude<Look, { mountedAt: string } | { carrier: string }>): Action<HostContext> {
  if ('mount' in look) return mountFilesystem(look.mount);
  if ('address' in look) return addressUp(look.address);
  const [one] = look.exported.exports;
  if (one === undefined) throw new Error('no export');
  return exportPath(one, look.exported, rememberedExports('/run/nlm-failover'));
}

const found: string[][] = [];
const limit = { what: 'looking', seconds: 60, key: 'the test', settle: 15, busy: 1, record: 15 };
for (const look of JSON.parse(process.argv[2] ?? '[]') as Look[]) {
  if ('mountedAt' in look) {
    found.push(mountedAt(realHost, look.mountedAt).map(({ text }) => text));
    continue;
  }
  if ('carrier' in look) {
    const carrier = await within(limit, () => lookAtCarrier(realHost, look.carrier));
    found.push(carrier === undefined ? [] : [carrier.message]);
    continue;
  }
  const obstacles = await within(limit, () =>
    lookAtActions([actionOf(look)], { host: realHost }, { asksNames: false }),
  );
  found.push(obstacles.map(({ message }) => message));
}
process.stdout.write(JSON.stringify(found));
