import { rmSync } from 'node:fs';
import path from 'node:path';
import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { runOrFail } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { localAddresses } from '../../host/reading/addresses.js';
import { isInstalled } from '../../host/running/command.js';
import { whyUnsafe } from '../../host/way.js';
import { unitDropIns, unitOf } from '../unit/names.js';
import type { Finding, SetupItem } from './item.js';
import {
  awayDirectory,
  awayFile,
  type Election,
  includeLine,
  includesOurs,
  instanceFile,
  instanceText,
  mainFile,
  mainText,
  readElection,
  unitText,
} from './keepalived-text.js';
import { isEnabled, reloadUnits } from './units.js';
import { isThere, lookAtFile, makeDirectories, type SetupPlace, writeFile } from './written-file.js';

/** What --keepalived was given; what it was not given stays as an earlier one wrote it. */
export interface KeepalivedOptions {
  readonly router?: number | undefined;
  readonly priority?: number | undefined;
  /** The nodes, this one may be among them. */
  readonly peers: readonly string[];
}

export interface KeepalivedInstallation {
  readonly callouts: string;
  /** The configuration file. */
  readonly config: string;
  /** Every address of it: none of them is a node's own. */
  readonly addresses: readonly string[];
}

/** Whether an earlier --keepalived has written the files of an address. */
export function isWithKeepalived({ ledger }: SetupPlace, { address }: FloatingIp): boolean {
  return ledger.entries.files[instanceFile(address)] !== undefined;
}

/** keepalived elects who has these addresses. Throws FailoverError CONFIG_INVALID, NOT_READY. */
export async function keepalivedItems(
  place: SetupPlace,
  { callouts, config, addresses }: KeepalivedInstallation,
  floatingIps: readonly FloatingIp[],
  options: KeepalivedOptions,
): Promise<SetupItem[]> {
  const { host } = place;
  const script = path.join(callouts, 'keepalived/nlm-failover-notify');
  if (!isInstalled('keepalived'))
    return [byHand('keepalived is not installed here: apt-get install keepalived')];
  const ours = floatingIps.filter(({ managedByOthers = [] }) => managedByOthers.length === 0);
  const moving = options.peers.find((peer) => addresses.includes(peer));
  if (moving !== undefined)
    throw invalid(
      `--peer ${moving} is a floating IP, which moves`,
      'Name an address that the other node always has.',
    );
  const peers = await withoutOwn(host, options.peers);
  if (options.peers.length > 0 && peers.length === 0)
    throw invalid(
      'every --peer is this node itself',
      'Name an address of the other node, or leave --peer out for multicast.',
    );
  const saysNoAddress = await knowsNoAddress(host);
  const elections = ours.map((ip) => electionOf(place, ip, { ...options, peers }));
  refuseTwice(ours, elections);
  const texts = ours.map((ip, at) => ({
    ip,
    text: instanceText({
      address: ip.address,
      interface: ip.interface,
      election: elections[at] ?? electionOf(place, ip, options),
      script,
      config,
      saysNoAddress,
    }),
  }));
  return [
    reachableScript(host, script),
    awayItem(place),
    mainItem(place),
    ...texts.map(({ ip, text }) => instanceItem(place, ip, text)),
    ...ours.map((ip) => unitItem(place, ip, script)),
  ];
}

/** The unit of an address that keepalived starts is not started at boot. */
export function unitLeftToKeepalived({ host, ledger }: SetupPlace, { address }: FloatingIp): SetupItem {
  const unit = unitOf(address);
  const disable: Argv = ['systemctl', 'disable', unit];
  return {
    name: 'unit',
    look: async (): Promise<Finding> =>
      isInstalled('systemctl') && (await isEnabled(host, unit))
        ? { state: 'to do', detail: `disable ${unit}: keepalived starts it`, commands: [disable.join(' ')] }
        : { state: 'unchanged', detail: `${unit} is not enabled: keepalived starts it` },
    act: async () => {
      await runOrFail(host, disable, `See "systemctl cat ${unit}".`);
      ledger.remove('units', unit);
      return { state: 'done', detail: `${unit} is disabled: keepalived starts it` };
    },
  };
}

/** --undo of an address: what its notify script has told keepalived. */
export function removeAway(host: Host, address: string): void {
  rmSync(host.path(awayFile(address)), { force: true });
}

function electionOf(place: SetupPlace, { address }: FloatingIp, options: KeepalivedOptions): Election {
  const there = place.host.readText(instanceFile(address)) ?? '';
  const kept = place.ledger.wrote(instanceFile(address), there) ? readElection(there) : {};
  return {
    router: options.router ?? kept.router ?? lastByte(address),
    priority: options.priority ?? kept.priority ?? 100,
    peers: options.peers.length > 0 ? options.peers : (kept.peers ?? []),
  };
}

/** The same on every node, and as the address goes, no other address's of its network. */
function lastByte(address: string): number {
  const [last = ''] = /[0-9a-f]*$/.exec(address) ?? [];
  const byte = address.includes(':') ? Number.parseInt(last === '' ? '0' : last, 16) % 256 : Number(last);
  if (byte > 0) return byte;
  throw invalid(
    `the last byte of ${address} is 0, and a virtual_router_id is from 1 to 255`,
    `Choose one: nlm-failover setup ${address} --keepalived --router-id NUMBER`,
  );
}

function refuseTwice(floatingIps: readonly FloatingIp[], elections: readonly Election[]): void {
  for (const [at, ip] of floatingIps.entries()) {
    const { router } = elections[at] ?? {};
    const other = floatingIps.findIndex(
      (one, index) => index < at && one.interface === ip.interface && elections[index]?.router === router,
    );
    if (other >= 0)
      throw invalid(
        `${floatingIps[other]?.address ?? ''} and ${ip.address} on ${ip.interface} would both have the virtual_router_id ${router ?? ''}`,
        `Choose another one: nlm-failover setup ${ip.address} --keepalived --router-id NUMBER; then the same for the others, one by one.`,
      );
  }
}

function reachableScript(host: Host, script: string): SetupItem {
  const look = async (): Promise<Finding> => {
    const why = await whyUnsafe(host.path(script), [0]);
    if (why === undefined) return { state: 'unchanged', detail: script };
    return {
      state: 'by hand',
      detail: `keepalived runs no script of root that others could change (enable_script_security): ${why}. Install nlm-failover below /usr, then run setup again`,
    };
  };
  return { name: 'notify', look, act: look };
}

/** Where keepalived makes its track_files: it must be there before it starts. */
function awayItem(place: SetupPlace): SetupItem {
  return {
    name: 'track_file',
    look: () =>
      isThere(place.host, awayDirectory)
        ? { state: 'unchanged', detail: awayDirectory }
        : { state: 'to do', detail: awayDirectory, commands: [`mkdir -p ${awayDirectory}`] },
    act: async () => {
      makeDirectories(place, awayDirectory);
      return { state: 'done', detail: awayDirectory };
    },
  };
}

function mainItem(place: SetupPlace): SetupItem {
  const { host, ledger } = place;
  return {
    name: 'keepalived',
    look: async () => {
      const found = await lookAtFile(place, mainFile, mainText());
      const there = host.readText(mainFile);
      if (there === undefined || ledger.wrote(mainFile, there) || found.state === 'unchanged') return found;
      if (includesOurs(there)) return { state: 'unchanged', detail: `${mainFile} includes conf.d` };
      return {
        state: 'by hand',
        detail: `${mainFile} is yours; it needs this line`,
        commands: [includeLine],
      };
    },
    act: async () => {
      writeFile(place, mainFile, mainText());
      return { state: 'done', detail: mainFile };
    },
  };
}

function instanceItem(place: SetupPlace, { address }: FloatingIp, text: string): SetupItem {
  const file = instanceFile(address);
  return {
    name: 'instance',
    look: () => lookAtFile(place, file, text),
    act: async () => {
      writeFile(place, file, text);
      const { router, peers = [] } = readElection(text);
      const how = peers.length === 0 ? 'multicast' : `with ${peers.join(', ')}`;
      return {
        state: 'done',
        detail: `${file}: virtual_router_id ${router ?? ''}, ${how}; keepalived reads it when it starts or is reloaded, first where ${address} is served`,
      };
    },
  };
}

function unitItem(place: SetupPlace, { address }: FloatingIp, script: string): SetupItem {
  const file = `${unitDropIns(address)}/nlm-failover-keepalived.conf`;
  const alone = `${unitDropIns(address)}/nlm-failover-alone.conf`;
  const text = unitText(script);
  return {
    name: 'unit drop-in',
    look: async () => {
      if (isThere(place.host, alone))
        throw new FailoverError(
          `${address} has --alone, your word that no other node reaches its devices; keepalived is for two`,
          {
            code: 'NOT_READY',
            exitCode: exitCodes.configuration,
            operation: `looking at ${alone}`,
            hint: `Take it back first: nlm-failover setup ${address} --undo`,
          },
        );
      return lookAtFile(place, file, text);
    },
    act: async () => {
      writeFile(place, file, text);
      await reloadUnits(place.host);
      return { state: 'done', detail: `${file}: its takeover waits for the other node's release` };
    },
  };
}

function byHand(detail: string): SetupItem {
  const finding = { state: 'by hand', detail: `${detail}. Then run setup again` } as const;
  return { name: 'keepalived', look: () => finding, act: async () => finding };
}

/**
 * no_virtual_ipaddress came with 2.2.8, and does nothing but keep one warning away (VRRP_FLAG_ALLOW_NO_VIPS in vrrp.c,
 * vrrp_complete_instance, until 2.4.3). Without it 2.2.7 says "No VIP specified; at least one is sensible" there, and goes on; with an address
 * of VRRP 3, strict_mode or IPv6 it would refuse. What both send is the same: an advertisement of no address, so nodes may differ.
 */
async function knowsNoAddress(host: Host): Promise<boolean> {
  const { stdout, stderr } = await host.run(['keepalived', '--version'], { short: true });
  const [, ...digits] = /^Keepalived v(\d+)\.(\d+)\.(\d+)/m.exec(`${stdout}\n${stderr}`) ?? [];
  const [major = 0, minor = 0, patch = 0] = digits.map(Number);
  return major * 10_000 + minor * 100 + patch >= 20_208;
}

/** So that the same command does on both nodes. */
async function withoutOwn(host: Host, peers: readonly string[]): Promise<readonly string[]> {
  if (peers.length === 0) return [];
  const own = new Set((await localAddresses(host)).map(({ address }) => address));
  return peers.filter((peer) => !own.has(peer));
}

function invalid(message: string, hint: string): FailoverError {
  return new FailoverError(message, {
    code: 'CONFIG_INVALID',
    exitCode: exitCodes.configuration,
    operation: 'setup --keepalived',
    hint,
  });
}
