import { chmodSync, lstatSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../../config/config.js';
import { isManaged } from '../../config/floating-ip.js';
import { addressesHere } from '../../ctdb/addresses.js';
import { barrierOf, barrierUnit, isServing, refuseUnfit } from '../../ctdb/serve.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { runOrFail } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { systemdRuns } from '../../host/reading/boot.js';
import { isInstalled } from '../../host/running/command.js';
import { whyUnsafe } from '../../host/way.js';
import type { DriverModule } from '../../lockmanager/module.js';
import {
  disablingText,
  fenceAgentLink,
  fencersHere,
  isEnabledScript,
  legacyDirectory,
  ownScripts,
  scriptFile,
  stockScripts,
  stockText,
} from '../ctdb/scripts.js';
import type { Finding, SetupItem } from './item.js';
import { expectRoots } from './ledger.js';
import { linkMade, linkTarget } from './links.js';
import { type Installation, isEnabled, unitAlways, unitFile } from './units.js';
import { isThere, type SetupPlace } from './written-file.js';

interface CtdbNode {
  readonly host: Host;
  readonly config: Config;
  readonly drivers: readonly DriverModule[];
  readonly installation: Installation;
}

/** Whether an earlier --ctdb has made what CTDB runs: a setup without it keeps that. */
export function isWithCtdb({ ledger }: SetupPlace): boolean {
  return Object.keys(ledger.entries.links).some((link) => ctdbLinkName(link) === 'event script');
}

/** The name of the item that has made a link; undefined: none of --ctdb. */
export function ctdbLinkName(link: string): string | undefined {
  if (link === fenceAgentLink) return 'fence agent';
  return ownScripts.some((name) => scriptFile(name) === link) ? 'event script' : undefined;
}

/**
 * --ctdb: CTDB runs our event scripts, and none of its own for NFS, and the process that does what they ask for is started at every boot. Throws
 * FailoverError CONFIG_INVALID where the configuration is none for CTDB; NOT_READY where CTDB is not here, or others than root could change what
 * it would run as root.
 */
export async function ctdbItems(place: SetupPlace, node: CtdbNode): Promise<SetupItem[]> {
  const { host, config, drivers, installation } = node;
  const { ips } = barrierOf(config, drivers);
  refuseUnfit(host, ips);
  const unmanaged = ips.find((ip) => !isManaged(ip, 'address'));
  if (unmanaged !== undefined)
    throw refused(
      'CONFIG_INVALID',
      `CTDB moves ${unmanaged.address}, and ${config.file} does not say so`,
      `Write managed_by_others = ["address"] for ${unmanaged.address}.`,
    );
  if (!isThere(host, legacyDirectory))
    throw refused(
      'NOT_READY',
      `CTDB is not installed here: there is no ${legacyDirectory}`,
      'Install it first (Debian: ctdb). Before 4.9 it has its event scripts elsewhere, and cannot be set up.',
    );
  const scripts = ownScripts.map((name) => ({
    name: 'event script',
    link: scriptFile(name),
    target: path.join(installation.callouts, 'ctdb', name),
  }));
  const agent = path.join(installation.callouts, 'ctdb', path.basename(fenceAgentLink));
  // What the scripts read and run, too.
  const common = path.join(installation.callouts, 'ctdb', 'common.sh');
  for (const target of [...scripts.map((one) => one.target), agent, common, installation.script])
    await expectSafe(target);
  const isUntouched = () => expectNone(host, config);
  const wasOn = stockScripts.some((name) => isEnabledScript(host, name));
  return [
    ...stockScripts.map((name) => stockAside(place, name, isUntouched)),
    ...scripts.map((one) => linkMade(place, one, isUntouched)),
    ...(fencersHere(host).length > 0
      ? [linkMade(place, { name: 'fence agent', link: fenceAgentLink, target: agent })]
      : []),
    ...(wasOn && isInstalled('systemctl') ? [serverAtBoot(host)] : []),
    unitFile(place, installation, { config: path.resolve(config.file), unit: barrierUnit }),
    unitAlways(place, { name: 'ctdb unit', unit: barrierUnit, otherwise: '"nlm-failover ctdb serve"' }),
  ];
}

/** --undo: the process that an event or its unit has started. */
export function barrierEnded(host: Host, run: string): SetupItem {
  const stop: Argv = ['systemctl', 'stop', barrierUnit];
  return {
    name: 'ctdb serve',
    look: () => {
      if (!isServing(run)) return { state: 'unchanged', detail: '"nlm-failover ctdb serve" does not run' };
      if (systemdRuns(host))
        return { state: 'to do', detail: `stop ${barrierUnit}`, commands: [stop.join(' ')] };
      return {
        state: 'by hand',
        detail: 'end "nlm-failover ctdb serve", which an event has started: SIGTERM',
      };
    },
    act: async () => {
      await runOrFail(host, stop, `See "systemctl status ${barrierUnit}".`);
      return isServing(run)
        ? {
            state: 'by hand',
            detail: 'end "nlm-failover ctdb serve", which is not that of its unit: SIGTERM',
          }
        : { state: 'done', detail: `${barrierUnit} is stopped` };
    },
  };
}

/** --undo: a script of CTDB that is out of the way is as it was. `how`: as the ledger has it. */
export function stockTakenBack({ host, ledger }: SetupPlace, file: string, how: string): SetupItem {
  const was = how.slice('link '.length);
  const mode = how.startsWith('mode ') ? Number.parseInt(was, 8) : undefined;
  const command = mode === undefined ? `ln -s ${was} ${file}` : `chmod ${was} ${file}`;
  return {
    name: 'nfs script',
    look: async (): Promise<Finding> => {
      await expectRoots(host, path.dirname(file));
      const now = howNow(host, file);
      if (now === how) return { state: 'to do', detail: `${file} is back already` };
      const away = mode === undefined ? undefined : modeText(mode & ~0o111);
      if (now === away) return { state: 'to do', detail: file, commands: [command] };
      return {
        state: 'left',
        detail: `${file} was changed since setup had it out of the way (${how})`,
        commands: [command],
      };
    },
    act: async () => {
      if (howNow(host, file) !== how) {
        if (mode === undefined) symlinkSync(was, host.path(file));
        else chmodSync(host.path(file), mode);
      }
      ledger.removeAside(file);
      return { state: 'done', detail: `${file} is as it was` };
    },
  };
}

/** As "ctdb event script disable" does it: a link goes, and a file is not to be run any more. */
function stockAside(place: SetupPlace, script: string, ahead: () => Promise<void>): SetupItem {
  const { host, ledger } = place;
  const file = scriptFile(script);
  return {
    name: 'nfs script',
    look: async (): Promise<Finding> => {
      await expectRoots(host, path.dirname(file));
      if (!isEnabledScript(host, script)) return { state: 'unchanged', detail: `${file} is not enabled` };
      await ahead();
      return {
        state: 'to do',
        detail: stockText(script),
        commands: [disablingText(script)],
      };
    },
    act: async () => {
      const how = howNow(host, file);
      if (how === undefined) return { state: 'unchanged', detail: `${file} is not enabled` };
      ledger.addAside(file, how);
      if (how.startsWith('link ')) rmSync(host.path(file));
      else chmodSync(host.path(file), lstatSync(host.path(file)).mode & 0o7666);
      return { state: 'done', detail: `${file} is not enabled any more` };
    },
  };
}

/** How a script of CTDB is there, as the ledger has it; undefined: it is not. */
function howNow(host: Host, file: string): string | undefined {
  const target = linkTarget(host, file);
  if (target === undefined) return undefined;
  return target === '' ? modeText(lstatSync(host.path(file)).mode & 0o7777) : `link ${target}`;
}

function modeText(mode: number): string {
  return `mode ${mode.toString(8)}`;
}

/** 60.nfs has started nfsd so far, and what belongs to it. */
function serverAtBoot(host: Host): SetupItem {
  const unit = 'nfs-server.service';
  const look = async (): Promise<Finding> =>
    (await isEnabled(host, unit))
      ? { state: 'unchanged', detail: `${unit} is enabled` }
      : {
          state: 'by hand',
          detail: `CTDB's script has started the NFS server so far, and nobody does now: have it start before ctdb`,
          commands: [`systemctl enable ${unit}`],
        };
  return { name: 'nfs server', look, act: look };
}

/** CTDB asks nobody who owns what it runs. Throws FailoverError NOT_READY. */
async function expectSafe(script: string): Promise<void> {
  const why = await whyUnsafe(script, [0, process.geteuid?.() ?? 0]);
  if (why !== undefined)
    throw refused(
      'NOT_READY',
      `CTDB would run ${script} as root, and others could change it: ${why}`,
      'Install nlm-failover where only root writes: the Debian package, or "npm install -g" of what "npm pack" makes.',
    );
}

/** Its next event would be for nobody, or for both. Throws FailoverError NOT_READY. */
async function expectNone(host: Host, config: Config): Promise<void> {
  const [here] = await addressesHere(host, config);
  if (here !== undefined)
    throw refused(
      'NOT_READY',
      `${here.address} is on this node, and CTDB's scripts are not exchanged under it`,
      'Stop ctdbd, or have CTDB move its addresses away ("ctdb disable"); then run setup again.',
    );
}

function refused(code: 'CONFIG_INVALID' | 'NOT_READY', message: string, hint: string): FailoverError {
  return new FailoverError(message, {
    code,
    exitCode: exitCodes.configuration,
    operation: 'setup --ctdb',
    hint,
  });
}
