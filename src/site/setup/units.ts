import { existsSync, readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { defaultConfigFile } from '../../config/load-config.js';
import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { runOrFail } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { systemdRuns } from '../../host/reading/boot.js';
import { isInstalled } from '../../host/running/command.js';
import { unitDropIns, unitOf, watchUnit } from '../unit/names.js';
import type { Finding, SetupItem } from './item.js';
import { expectRoots } from './ledger.js';
import {
  isThere,
  lookAtFile,
  lookAtWritten,
  removeFile,
  type SetupPlace,
  writeFile,
} from './written-file.js';

/** Where a package has it, and where the administrator's goes, which counts more (systemd.unit(5)). */
const packagedIn = '/usr/lib/systemd/system';
const ownIn = '/etc/systemd/system';
/** How the unit names the command. */
const packagedCommand = '/usr/sbin/nlm-failover';

/** This installation, as its units run it. */
export interface Installation {
  /** node. */
  readonly node: string;
  /** bin/nlm-failover, without symbolic links. */
  readonly script: string;
  /** callouts/ of it. */
  readonly callouts: string;
}

export interface UnitOptions {
  /** The configuration file. */
  readonly config: string;
  /** The name of its file. */
  readonly unit: string;
}

const aloneText = `# Made by "nlm-failover setup --alone": no other node reaches these devices. "nlm-failover setup ADDRESS --undo" takes it away.
[Service]
Environment=TAKEOVER_OPTIONS=--fenced
`;

/** The unit file where that of a package does not do: another installation, another configuration. */
export function unitFile(place: SetupPlace, installation: Installation, options: UnitOptions): SetupItem {
  const { host } = place;
  const packagedUnit = path.join(packagedIn, options.unit);
  const ownUnit = path.join(ownIn, options.unit);
  const isPackaged =
    options.config === defaultConfigFile && isPackageOf(host, packagedUnit, installation.script);
  const look = async (): Promise<Finding> => {
    if (!isPackaged) return lookAtFile(place, ownUnit, unitText(host, installation, options));
    const written = await lookAtWritten(place, ownUnit);
    if (written.state === 'to do') return { ...written, detail: `${ownUnit}, as ${packagedUnit} does` };
    return written.state === 'unchanged' ? { state: 'unchanged', detail: packagedUnit } : written;
  };
  return {
    name: 'unit file',
    look,
    act: async () => {
      if (isPackaged) removeFile(place, ownUnit);
      else writeFile(place, ownUnit, unitText(host, installation, options));
      await reloadUnits(host);
      return { state: 'done', detail: isPackaged ? packagedUnit : ownUnit };
    },
  };
}

/**
 * --alone of one address, which is the word of whoever typed it: a setup without it leaves what is there, and says so. Undefined where there
 * is nothing to do or to say.
 */
export function unitAlone(
  place: SetupPlace,
  { address, managedByOthers = [] }: FloatingIp,
  alone: boolean,
): SetupItem | undefined {
  const { host } = place;
  const file = `${unitDropIns(address)}/nlm-failover-alone.conf`;
  if (managedByOthers.length > 0 || (!alone && !isThere(host, file))) return undefined;
  return {
    name: 'alone',
    look: async () => {
      if (alone) return lookAtFile(place, file, aloneText);
      await expectRoots(host, file);
      if (host.readText(file) !== aloneText)
        return { state: 'left', detail: `${file} is not as setup --alone writes it` };
      return {
        state: 'unchanged',
        detail: `${address} keeps --fenced, by an earlier --alone; where another node reaches its devices now: nlm-failover setup ${address} --undo`,
      };
    },
    act: async () => {
      writeFile(place, file, aloneText);
      await reloadUnits(host);
      return { state: 'done', detail: `${file}: after a crash ${address} is taken over with --fenced` };
    },
  };
}

/** The unit of each address is started at every boot; not where takeover would have the node fenced that has the address (`fences`). */
export function unitEnabled(
  { host, ledger }: SetupPlace,
  { address, managedByOthers = [] }: FloatingIp,
  fences: boolean,
): SetupItem {
  const unit = unitOf(address);
  const enable: Argv = ['systemctl', 'enable', unit];
  return {
    name: 'unit',
    look: async (): Promise<Finding> => {
      // Whoever has the address or the mounts decides when it comes and goes.
      if (managedByOthers.length > 0)
        return { state: 'unchanged', detail: `${unit} is left to others (managed_by_others)` };
      // A node that boots would cut the power of the one that serves.
      if (fences)
        return {
          state: 'by hand',
          detail: `[fencing] has a command, which the start of ${unit} runs for the node that has the address: let keepalived start it, or enable it on one node at the most`,
        };
      if (!isInstalled('systemctl'))
        return {
          state: 'by hand',
          detail: `no systemd here: have "nlm-failover takeover ${address}" run at boot, and "nlm-failover release ${address}" at shutdown, before NFS stops`,
        };
      if (await isEnabled(host, unit)) return { state: 'unchanged', detail: `${unit} is enabled` };
      return { state: 'to do', detail: `enable ${unit}`, commands: [enable.join(' ')] };
    },
    act: async () => {
      ledger.add('units', unit);
      await runOrFail(host, enable, `See "systemctl cat ${unit}".`);
      if (!(await isEnabled(host, unit))) throw notEnabled(unit);
      return { state: 'done', detail: `${unit} is enabled` };
    },
  };
}

/** A unit of the node, which no address has, is started at every boot. */
export interface AlwaysUnit {
  /** The name of the item. */
  readonly name: string;
  readonly unit: string;
  /** What is to run always where there is no systemd. */
  readonly otherwise: string;
}

/** What answers calls into grace, whoever decides which node has an address: a node in standby serves clients too. */
export const watchAlways: AlwaysUnit = {
  name: 'grace unit',
  unit: watchUnit,
  otherwise: '"nlm-failover join-grace --watch"',
};

export function unitAlways({ host, ledger }: SetupPlace, { name, unit, otherwise }: AlwaysUnit): SetupItem {
  const enable: Argv = ['systemctl', 'enable', unit];
  return {
    name,
    look: async (): Promise<Finding> => {
      if (!isInstalled('systemctl'))
        return { state: 'by hand', detail: `no systemd here: have ${otherwise} run always` };
      if (await isEnabled(host, unit)) return { state: 'unchanged', detail: `${unit} is enabled` };
      return { state: 'to do', detail: `enable ${unit}`, commands: [enable.join(' ')] };
    },
    act: async () => {
      ledger.add('units', unit);
      await runOrFail(host, enable, `See "systemctl cat ${unit}".`);
      if (!(await isEnabled(host, unit))) throw notEnabled(unit);
      return {
        state: 'done',
        detail: `${unit} is enabled: started at the next boot, or now by "systemctl start ${unit}"`,
      };
    },
  };
}

/**
 * Where B-2 starts the lock manager of the whole node anew, two takeovers at once would take each other's grace and exports away: at boot each
 * address waits for those before it in the configuration. Nothing where it is the first one.
 */
export function unitOrder(
  place: SetupPlace,
  { address }: FloatingIp,
  all: readonly FloatingIp[],
): SetupItem[] {
  const at = all.findIndex((ip) => ip.address === address);
  const before = all.slice(0, at).map((ip) => unitOf(ip.address));
  if (before.length === 0) return [];
  const file = `${unitDropIns(address)}/nlm-failover.conf`;
  const text = `# Made by "nlm-failover setup"; "nlm-failover setup --undo" takes it away.\n[Unit]\nAfter=${before.join(' ')}\n`;
  return [
    {
      name: 'unit order',
      look: () => lookAtFile(place, file, text),
      act: async () => {
        writeFile(place, file, text);
        await reloadUnits(place.host);
        return { state: 'done', detail: `${file}: after ${before.join(', ')}` };
      },
    },
  ];
}

/** --undo: of a unit that setup has enabled. */
export function unitDisabled({ host, ledger }: SetupPlace, unit: string): SetupItem {
  const disable: Argv = ['systemctl', 'disable', unit];
  return {
    name: 'unit',
    look: async () =>
      (await isEnabled(host, unit))
        ? { state: 'to do', detail: `disable ${unit}`, commands: [disable.join(' ')] }
        : { state: 'unchanged', detail: `${unit} is disabled already` },
    act: async () => {
      await runOrFail(host, disable, `See "systemctl cat ${unit}".`);
      ledger.remove('units', unit);
      return { state: 'done', detail: `${unit} is disabled` };
    },
  };
}

/** What systemd knows of the files is read anew, where it runs. */
export async function reloadUnits(host: Host): Promise<void> {
  if (systemdRuns(host)) await runOrFail(host, ['systemctl', 'daemon-reload']);
}

export async function isEnabled(host: Host, unit: string): Promise<boolean> {
  const { stdout } = await host.run(['systemctl', 'is-enabled', unit], { short: true });
  return stdout.trim() === 'enabled';
}

function unitText(
  host: Host,
  { node, script, callouts }: Installation,
  { config, unit }: UnitOptions,
): string {
  // A package has it where systemd looks, and nowhere else.
  const shipped = path.join(callouts, 'systemd', unit);
  const text = readFileSync(existsSync(shipped) ? shipped : host.path(path.join(packagedIn, unit)), 'utf8');
  const command = [node, script].map(unitWord).join(' ');
  const environment =
    config === defaultConfigFile ? '' : `Environment=${unitWord(`NLM_FAILOVER_CONFIG=${config}`)}\n`;
  return text
    .replace(/^/, '# Made by "nlm-failover setup"; "nlm-failover setup --undo" takes it away.\n')
    .replace('[Service]\n', () => `[Service]\n${environment}`)
    .replace(`ConditionPathExists=${defaultConfigFile}\n`, () => `ConditionPathExists=${config}\n`)
    .replaceAll(packagedCommand, () => command);
}

/** A word of a command line as systemd.service(5) has it. Throws CONFIG_INVALID where it has a character that means something there. */
function unitWord(word: string): string {
  if (/^[\w@+=:,./-]+$/.test(word)) return word;
  if (/^[\w@+=:,./ -]+$/.test(word)) return `"${word}"`;
  throw new FailoverError(`${JSON.stringify(word)} cannot stand in a unit of systemd`, {
    code: 'CONFIG_INVALID',
    exitCode: exitCodes.configuration,
    operation: 'writing a unit of systemd',
    hint: 'Install nlm-failover, and put its configuration, where the path has letters, digits, blanks and _@+=:,./- only.',
  });
}

/** Whether the packaged unit runs this very program. */
function isPackageOf(host: Host, packagedUnit: string, script: string): boolean {
  const text = host.readText(packagedUnit) ?? '';
  const [, command = ''] = /^ExecStart=-?(\S+) (?:takeover|join-grace|ctdb)/m.exec(text) ?? [];
  try {
    return command !== '' && realpathSync(host.path(command)) === script;
  } catch {
    return false;
  }
}

function notEnabled(unit: string): FailoverError {
  return new FailoverError(`${unit} is not enabled after "systemctl enable"`, {
    code: 'NOT_VERIFIED',
    exitCode: exitCodes.stepFailed,
    operation: `systemctl enable ${unit}`,
    hint: `See "systemctl status ${unit}": it may be masked.`,
  });
}
