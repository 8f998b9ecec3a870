// Usage: node act.js, with lines "ACTION JSON" on standard input: checks, does and verifies each action on the host it runs on; prints
// the number of the line and JSON for each.
import { createInterface } from 'node:readline';
import type { Action, HostContext } from '../../src/host/action.js';
import { type AddressOnInterface, addressDown, addressUp } from '../../src/host/actions/address.js';
import { announce } from '../../src/host/actions/announce.js';
import { cutConnections } from '../../src/host/actions/connections.js';
import {
  type ExportedFilesystem,
  exportPath,
  type PathExport,
  unexport,
} from '../../src/host/actions/exports.js';
import {
  type MountableFilesystem,
  mountFilesystem,
  unmountFilesystem,
} from '../../src/host/actions/mount.js';
import { exported, type ExportEntry } from '../../src/host/reading/exports.js';
import { superblockState } from '../../src/host/reading/superblock.js';
import { realHost } from '../../src/host/real.js';
import { within } from '../../src/host/running/deadline.js';
import { rememberedExports } from '../../src/rundir/exported.js';

import { recording, unsaid } from '../helpers/effects.js';

/** What act.js prints. */
export interface Acted {
  readonly already: boolean;
  readonly remark?: string;
  readonly error?: string;
  /** What it left undone. */
  readonly undone?: readonly string[];
  /** Of exports: what is exported afterwards. */
  readonly etab?: readonly ExportEntry[];
}

/** What the actions of exports get. */
export interface ExportArgument {
  readonly one: PathExport;
  readonly filesystem: ExportedFilesystem;
  /** Whether what exportfs did before has been forgotten, as in a reboot. */
  readonly forgetful?: boolean;
}

/** What the actions take, each what it needs. */
type Argument = AddressOnInterface & MountableFilesystem & Partial<ExportArgument>;

function actionOf(name: string, argument: Argument): Action<HostContext> | undefined {
  const { one, filesystem } = argument;
  const memory = rememberedExports(argument.forgetful === true ? '/run/other' : '/run/nlm-failover');
  const actions: Record<string, Action<HostContext>> = {
    'address-up': addressUp(argument),
    'address-down': addressDown(argument),
    'address-down-everywhere': addressDown(argument),
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
    ...(one === undefined || filesystem === undefined
      ? {}
      : {
          export: exportPath(one, filesystem, memory),
          unexport: unexport(one, filesystem, memory, [filesystem]),
        }),
  };
  return actions[name];
}

/** What it says of a client is in other words than etab's, which it goes by; nor does a plan know where else an address is up. */
const spellsAnew = new Set(['unexport', 'address-down-everywhere']);

async function act(name: string, argument: Argument): Promise<Acted> {
  const done = await actOnly(name, argument);
  return argument.one === undefined ? done : { ...done, etab: exported(realHost) };
}

async function actOnly(name: string, argument: Argument): Promise<Acted> {
  const action = actionOf(name, argument);
  if (action === undefined) throw new Error(`no action ${name}`);
  const { host, take } = recording(realHost);
  const undone: string[] = [];
  const context = { host, undone: (sentence: string) => void undone.push(sentence) };
  try {
    if (await action.check(context)) return { already: true };
    const remark = await action.act(context);
    await action.verify(context);
    if (!spellsAnew.has(name)) expectSaid(name, take(), action);
    return {
      already: false,
      ...(remark === undefined ? {} : { remark }),
      ...(undone.length === 0 ? {} : { undone }),
    };
  } catch (error) {
    if (!spellsAnew.has(name)) expectSaid(name, take(), action);
    return { already: false, error: String(error) };
  }
}

/** What was done must stand in the plan. */
function expectSaid(name: string, effects: readonly string[], { commands }: Action<HostContext>): void {
  const missing = unsaid(effects, commands);
  if (missing.length > 0) throw new Error(`done, and not in the commands of ${name}: ${missing.join('; ')}`);
}

let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', ...json] = line.split(' ');
  // Long enough for two umounts on a machine that has much else to do.
  const limit = { what: name, seconds: 60, key: 'the test', settle: 15, busy: 3, record: 15 };
  const acted = await within(limit, () => act(name, JSON.parse(json.join(' ')) as Argument));
  count += 1;
  process.stdout.write(`${count} ${JSON.stringify(acted)}\n`);
}
