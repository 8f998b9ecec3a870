// Usage: node act.js ACTION JSON: checks, does and verifies one action on the host it runs on; prints JSON.
import type { Action, HostContext } from '../../src/host/action.js';
import { type AddressOnInterface, addressDown, addressUp } from '../../src/host/actions/address.js';
import { announce } from '../../src/host/actions/announce.js';
import { cutConnections } from '../../src/host/actions/connections.js';
import {
  type MountableFilesystem,
  mountFilesystem,
  unmountFilesystem,
} from '../../src/host/actions/mount.js';
import { superblockState } from '../../src/host/reading/superblock.js';
import { realHost } from '../../src/host/real.js';
import { within } from '../../src/host/running/deadline.js';

import { recording, unsaid } from '../helpers/effects.js';

/** What act.js prints. */
export interface Acted {
  readonly already: boolean;
  readonly remark?: string;
  readonly error?: string;
}

const [name = '', json = '{}'] = process.argv.slice(2);
const argument = JSON.parse(json) as AddressOnInterface & MountableFilesystem;
const actions: Record<string, Action<HostContext>> = {
  'address-up': addressUp(argument),
  'address-down': addressDown(argument),
  announce: announce(argument),
  'cut-connections': cutConnections(argument),
  mount: mountFilesystem(argument),
  unmount: unmountFilesystem(argument),
  superblock: {
    commands: [],
    check: () => false,
    act: ({ host }) => superblockState(host, argument.device),
    verify: () => undefined,
  },
};

async function act(): Promise<Acted> {
  const action = actions[name];
  if (action === undefined) throw new Error(`no action ${name}`);
  const { host, take } = recording(realHost);
  const context = { host };
  try {
    if (await action.check(context)) return { already: true };
    const remark = await action.act(context);
    await action.verify(context);
    expectSaid(take(), action);
    return { already: false, ...(remark === undefined ? {} : { remark }) };
  } catch (error) {
    expectSaid(take(), action);
    return { already: false, error: String(error) };
  }
}

/** What was done must stand in the plan. */
function expectSaid(effects: readonly string[], { commands }: Action<HostContext>): void {
  const missing = unsaid(effects, commands);
  if (missing.length > 0) throw new Error(`done, and not in the commands of ${name}: ${missing.join('; ')}`);
}

const limit = { what: name, seconds: 60, key: 'the test', settle: 15, busy: 1, record: 15 };
process.stdout.write(JSON.stringify(await within(limit, act)));
