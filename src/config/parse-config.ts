import { TomlError, parse } from 'smol-toml';
import * as v from 'valibot';
import { FailoverError, exitCodes } from '../errors.js';
import type { Config, Filesystem, FloatingIp } from './config.js';
import type { DriverSettings } from './driver-settings.js';
import { readNodeName } from './names.js';
import { readDevice } from './paths.js';
import { renderProblem, type Problem, Wrong } from './problem.js';
import { relationProblems } from './relations/relations.js';
import { schemaOf, type ConfigFile } from './schema.js';
import { nodeProblems } from './relations/shared.js';
import { toTimeouts } from './timeout-words.js';
import { unknownKeys } from './unknown-keys.js';

export interface ParseOptions {
  /** Where the text came from, for messages. */
  readonly file: string;
  /** This host's name, the default of `node`. */
  readonly hostname: string;
  /** The lock manager drivers that there are: their names and keys are part of the language. */
  readonly drivers: readonly DriverSettings[];
}

/**
 * The text of a configuration file to a deeply frozen Config.
 *
 * @throws FailoverError CONFIG_INVALID with one line for each problem, all of them at once.
 */
export function parseConfig(text: string, options: ParseOptions): Config {
  return checkConfig(parseToml(text, options.file), options);
}

/** As parseConfig, from what the TOML text stands for: integers as bigint, tables as plain objects. */
export function checkConfig(input: unknown, { file, hostname, drivers }: ParseOptions): Config {
  const schema = schemaOf(drivers);
  const result = v.safeParse(schema, input);
  const problems: Problem[] = [
    ...(result.issues ?? []).map((issue) => ({ path: pathOf(issue), message: issue.message })),
    ...unknownKeys(schema, input),
    ...relationProblems(input, drivers),
    ...hostnameProblems(input, hostname),
    ...nodeProblems(input, hostname),
  ];
  if (!result.success || problems.length > 0) {
    throw invalid(file, problems.map((problem) => renderProblem(file, input, problem)).join('\n'));
  }
  return deepFreeze(toConfig(result.output, file, hostname));
}

function parseToml(text: string, file: string): unknown {
  try {
    // As bigint, because only so 1234 and 1234.0 differ and no digit of a large number is lost.
    return parse(text, { integersAsBigInt: true });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ''] = error.message.split('\n');
    throw invalid(file, `${file}:${error.line}:${error.column}: ${what}`, error);
  }
}

function invalid(file: string, message: string, cause?: unknown): FailoverError {
  return new FailoverError(message, {
    code: 'CONFIG_INVALID',
    exitCode: exitCodes.configuration,
    operation: `reading ${file}`,
    hint: 'See nlm-failover.toml(5).',
    cause,
  });
}

function pathOf(issue: v.BaseIssue<unknown>): (string | number)[] {
  return (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
}

/** `node` comes from the host when the file has none, and can be just as wrong there. */
function hostnameProblems(input: unknown, hostname: string): Problem[] {
  if (typeof input !== 'object' || input === null || 'node' in input) return [];
  const name = readNodeName(hostname);
  if (!(name instanceof Wrong)) return [];
  const message = `the host name ${JSON.stringify(hostname)} cannot stand for it: ${name.because}`;
  return [{ path: ['node'], message }];
}

function toConfig(input: ConfigFile, file: string, hostname: string): Config {
  const { driver, end_grace: endGrace, ...given } = input.lock_manager;
  return {
    file,
    node: input.node ?? hostname,
    lockManager: { driver, ...(endGrace === undefined ? {} : { endGrace }), given },
    timeouts: toTimeouts(input.timeouts),
    hooks: toHooks(input.hooks),
    fencing: input.fencing,
    floatingIps: input.floating_ip.map((ip) => toFloatingIp(ip, input)),
  };
}

function toHooks({ on_done: done, on_failed: failed, on_lost: lost, deadline = 10 }: ConfigFile['hooks']) {
  const on = {
    ...(done === undefined ? {} : { done }),
    ...(failed === undefined ? {} : { failed }),
    ...(lost === undefined ? {} : { lost }),
  };
  return { on, deadline };
}

function toFloatingIp(
  ip: ConfigFile['floating_ip'][number],
  { state, shared_filesystem: shared = [] }: ConfigFile,
): FloatingIp {
  const { directory } = state;
  // What is shared nobody mounts or exports for an address.
  const managed = ip.managed_by_others.filter((part) => shared.length === 0 || part === 'address');
  return {
    ...ip.address,
    interface: ip.interface,
    names: ip.names,
    // relationProblems has made sure that one of the two is there.
    stateDirectory: ip.state_directory ?? directory ?? '',
    trustClients: ip.trust_clients,
    ...(ip.legacy_notify ? { legacyNotify: true } : {}),
    ...stateVolumeOf(ip),
    ...(managed.length === 0 ? {} : { managedByOthers: [...new Set(managed)] }),
    ...(shared.length === 0 ? {} : { shared: { nodes: [...new Set(shared.flatMap(({ nodes }) => nodes))] } }),
    filesystems:
      shared.length > 0
        ? shared.map(toShared)
        : (ip.filesystem ?? []).flatMap(
            ({
              export: exports = [],
              fsid = '',
              export_id: exportId,
              export_block: exportBlock,
              ...volume
            }) =>
              exports.length === 0
                ? []
                : [
                    {
                      ...volume,
                      device: deviceOf(volume.device),
                      type: volume.type ?? '',
                      fsid,
                      ...(exportId === undefined ? {} : { exportId }),
                      ...(exportBlock === undefined ? {} : { exportBlock }),
                      exports: exports.map(({ path, clients, options }) => ({
                        path: path ?? volume.mountpoint,
                        clients,
                        options: withoutFsid(options),
                      })),
                    },
                  ],
          ),
  };
}

/** relationProblems has made sure that an fsid or an Export_Id is there, and a path. */
function toShared(shared: NonNullable<ConfigFile['shared_filesystem']>[number]): Filesystem {
  const { export_id: exportId, mountpoint, gluster_volume: glusterVolume } = shared;
  const path = shared.path ?? mountpoint ?? '';
  return {
    device: '',
    type: '',
    options: '',
    mountpoint: mountpoint ?? path,
    fsid: shared.fsid ?? `${exportId ?? ''}`,
    ...(exportId === undefined ? {} : { exportId }),
    ...(mountpoint === undefined ? { isUnmounted: true as const } : {}),
    ...(glusterVolume === undefined ? {} : { glusterVolume }),
    // To whom, and how, whoever exports it says.
    exports: [{ path, clients: '*', options: '' }],
  };
}

/** relationProblems has made sure that there is one at the most, and that it carries the record. */
function stateVolumeOf({
  filesystem = [],
}: ConfigFile['floating_ip'][number]): Pick<FloatingIp, 'stateVolume'> {
  const found = filesystem.find((one) => one.export === undefined);
  if (found === undefined) return {};
  const { device, mountpoint, type = '', options } = found;
  return { stateVolume: { device: deviceOf(device), mountpoint, type, options } };
}

/** In the one spelling that a name of a device has; what others mount has any name, or none. */
function deviceOf(text = ''): string {
  const device = readDevice(text);
  return typeof device === 'string' ? device : text;
}

/** An fsid= that agrees with the file system was accepted; the export adds it by itself. */
function withoutFsid(options: string): string {
  return options
    .split(',')
    .filter((option) => !option.startsWith('fsid='))
    .join(',');
}

/** Freezes an object and everything in it. */
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
