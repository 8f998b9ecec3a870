import { type Command, InvalidArgumentError, Option } from 'commander';
import { canonicalAddress } from '../../config/address.js';
import { exitCodes } from '../../errors.js';
import type { Finding, SetupItem } from '../../site/setup/item.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';
import { thisInstallation } from '../own-callout.js';
import { printable } from '../text/printable.js';

interface SetupCommandOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly undo?: boolean;
  readonly stateDevice?: string;
  readonly alone?: boolean;
  readonly enable: boolean;
  readonly pacemaker?: boolean;
  readonly keepalived?: boolean;
  readonly ctdb?: boolean;
  readonly peer?: readonly string[];
  readonly routerId?: number;
  readonly priority?: number;
}

/** nlm-failover setup: what a node needs before its first takeover. */
export function addSetup(program: Command, io: Io, drivers: LoadDrivers, exit: (code: number) => void): void {
  addCommonOptions(
    program
      .command('setup')
      .summary('prepare this node, once, for what is configured')
      .description(
        'Prepare this node for the floating IPs of the configuration: rpc.statd runs the callout of this installation (a drop-in in /etc/nfs.conf.d, and a restart where it ' +
          'ran another), the mount points are there, the file system of the state volume too, and systemd takes the addresses over at boot and releases them at ' +
          'shutdown (SYSTEMD). Nothing is taken over, and nothing that serves is stopped. What is so already is unchanged, so that the same command can be run again at any time.\n\n' +
          'Ends with 0 where all is so, and with 1 where something is left for you: "by hand" and "left" say what.',
      )
      .argument('[address]', 'one floating IP (default: all of the configuration)')
      .option('-n, --dry-run', 'print every command and write, and touch nothing')
      .option(
        '--state-device <device>',
        'make the file system of the state volume, ext4 with multiple mount protection, on this device, where it is empty beyond doubt; once, on one node',
      )
      .option('--no-enable', 'have no unit started at boot: something else takes the addresses over')
      .option(
        '--alone',
        'your word that no other node reaches the devices of these addresses: after a crash of this node their units take over with --fenced; kept until it is undone',
      )
      .option(
        '--pacemaker',
        'have Pacemaker decide which node has an address: its OCF agents are linked where it looks for them, and no unit is started at boot (PACEMAKER)',
      )
      .option(
        '--keepalived',
        'have keepalived decide which node has the address: write what it needs, and enable no unit (KEEPALIVED AND OTHERS)',
      )
      .addOption(
        new Option(
          '--peer <address>',
          'with --keepalived: an IPv4 address of another node, which gets the advertisements instead of a multicast group; may be repeated, and this node is left out of it',
        ).argParser(addPeer),
      )
      .addOption(
        new Option(
          '--router-id <number>',
          'with --keepalived: the virtual_router_id of this one address (default: its last byte)',
        ).argParser(fromOneTo(255)),
      )
      .addOption(
        new Option(
          '--priority <number>',
          'with --keepalived: of this node, where both stand for an address that nobody has (default: 100)',
        ).argParser(fromOneTo(254)),
      )
      .option(
        '--ctdb',
        'have CTDB move the addresses: its event scripts of nlm-failover are enabled and its own for NFS are not, and nlm-failover-ctdb.service starts at boot (CTDB)',
      )
      .option(
        '--undo',
        'take back what setup has made on this node, or for the address alone, and nothing else; what was changed since is left, and named',
      ),
  ).action(async (address: string | undefined, options: SetupCommandOptions, command: Command) => {
    const keepalived = keepalivedOf(command, address, options);
    refuseWithCtdb(command, address, options);
    const { openReader } = await import('../open-reader.js');
    const { limitOf } = await import('../../failover/limits.js');
    const { within } = await import('../../host/running/deadline.js');
    const { setupItems, undoItems } = await import('../../site/setup/setup.js');
    const { runItems } = await import('../../site/setup/item.js');
    const { lockSetup } = await import('../../rundir/operation-lock.js');
    const { floatingIps, ...reader } = await openReader(drivers, address, options);
    const node = { ...reader, installation: thisInstallation(reader.callout) };
    const {
      undo = false,
      dryRun = false,
      alone = false,
      pacemaker = false,
      ctdb = false,
      stateDevice,
      enable,
    } = options;
    const title = `setup${undo ? ' --undo' : ''} on ${reader.config.node}`;
    if (options.json !== true) io.out(`${title}\n`);
    const report = (item: SetupItem, finding: Finding): void =>
      io.out(options.json === true ? lineJson(item, finding) : lineText(item, finding, dryRun));
    const { byHand } = await within(limitOf(title, reader.config), async () => {
      const lock = dryRun ? undefined : lockSetup(reader.run);
      try {
        const items = undo
          ? await undoItems(node, address === undefined ? undefined : floatingIps[0])
          : await setupItems(node, { floatingIps, stateDevice, alone, enable, pacemaker, keepalived, ctdb });
        return await runItems(items, { dryRun }, report);
      } finally {
        lock?.release();
      }
    });
    const isDone = byHand === 0;
    if (options.json === true)
      io.out(`${JSON.stringify({ result: isDone ? 'done' : 'incomplete', byHand })}\n`);
    else io.out(`${title}: ${dryRun ? 'nothing was touched' : isDone ? 'done' : `${byHand} left for you`}\n`);
    exit(isDone || dryRun ? exitCodes.done : exitCodes.stepFailed);
  });
}

/** What belongs to --keepalived alone is refused without it, and with what it contradicts. */
function keepalivedOf(command: Command, address: string | undefined, options: SetupCommandOptions) {
  const { keepalived = false, peer = [], routerId, priority, undo, alone } = options;
  const refuse = (why: string) => command.error(`error: ${why}`, { exitCode: exitCodes.usage });
  if (!keepalived) {
    if (peer.length > 0 || routerId !== undefined || priority !== undefined)
      refuse('--peer, --router-id and --priority need --keepalived');
    return undefined;
  }
  if (options.pacemaker === true) refuse('--pacemaker and --keepalived: one of them decides');
  if (undo === true) refuse('--undo takes back what --keepalived wrote as well: leave --keepalived out');
  if (alone === true) refuse('--alone says that there is no other node, and --keepalived that there is one');
  if (routerId !== undefined && address === undefined) refuse('--router-id is of one address: name it');
  return { peers: peer, router: routerId, priority };
}

/** It is of the node, and of all of its addresses. */
function refuseWithCtdb(command: Command, address: string | undefined, options: SetupCommandOptions): void {
  if (options.ctdb !== true) return;
  const refuse = (why: string) => command.error(`error: ${why}`, { exitCode: exitCodes.usage });
  if (address !== undefined) refuse('--ctdb is of all addresses that CTDB moves: name none');
  if (options.undo === true) refuse('--undo takes back what --ctdb made as well: leave --ctdb out');
  if (options.pacemaker === true || options.keepalived === true)
    refuse('--ctdb, --pacemaker, --keepalived: one of them decides');
  if (options.alone === true)
    refuse('--alone says that there is no other node, and --ctdb that there are others');
}

/** VRRP 2 is of IPv4 alone (RFC 3768); keepalived refuses the instance of another peer. */
function addPeer(text: string, before: readonly string[] = []): readonly string[] {
  const address = canonicalAddress(text);
  if (address === undefined || address.includes(':'))
    throw new InvalidArgumentError('It takes an IPv4 address, as the nodes talk VRRP version 2.');
  return [...before, address];
}

function fromOneTo(most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,3}$/.test(text) ? Number(text) : 0;
    if (number < 1 || number > most)
      throw new InvalidArgumentError(`It takes a whole number from 1 to ${most}.`);
    return number;
  };
}

function lineJson({ name }: SetupItem, { state, detail, commands = [] }: Finding): string {
  return `${JSON.stringify({ item: name, state, detail, commands })}\n`;
}

/** The commands only where they are not run by setup itself. */
function lineText({ name }: SetupItem, { state, detail, commands = [] }: Finding, dryRun: boolean): string {
  const isWanted = dryRun || state === 'by hand' || state === 'left';
  const lines = isWanted ? commands.map((line) => `                            ${printable(line)}\n`) : [];
  return `  ${name.padEnd(12)}  ${state.padEnd(9)}  ${printable(detail)}\n${lines.join('')}`;
}
