import * as v from 'valibot';
import { readPrefixedAddress } from './address.js';
import { readFsid } from './fsid.js';
import { type DriverKey, type DriverSettings, keysOf, ofString, oneOf } from './driver-settings.js';
import type { StepName } from '../step-names.js';
import { readHostName, readInterfaceName, readNodeName } from './names.js';
import { wholeSeconds } from './timeout-words.js';
import { readDevice, readMountpoint, readPath } from './paths.js';
import { readClients, readExportOptions, readMountOptions, readType } from './words.js';
import { Wrong } from './problem.js';

// The whole language of the file, in the file's own words. `description` completes "is missing: write ...".

/** A value that `read` takes over or refuses, for a reason. */
function value<T>(description: string, read: (input: unknown) => T | Wrong) {
  return v.pipe(
    v.unknown(),
    v.description(description),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      const result = read(dataset.value);
      if (!(result instanceof Wrong)) return result;
      addIssue({ message: result.because });
      return NEVER;
    }),
  );
}

/** A string that `read` takes over or refuses. */
function text<T>(description: string, read: (input: string) => T | Wrong) {
  return value(description, ofString(description, read));
}

/** A table; its `header` shows how it begins. A key that is missing is reported with that key's description. */
function table<E extends v.ObjectEntries>(header: string, entries: E) {
  return v.pipe(
    v.custom<Record<string, unknown>>(isTable, `write a table that begins with ${header}`),
    v.object(entries, (issue) => missing(entries, issue.path?.at(-1)?.key)),
    v.description(`a table that begins with ${header}`),
  );
}

/** One or more tables. */
function tables<E extends v.ObjectEntries>(header: string, entries: E) {
  const description = `at least one table that begins with [[${header}]]`;
  return v.pipe(
    v.array(table(`[[${header}]]`, entries), `write ${description}`),
    v.minLength(1, `write ${description}`),
    v.description(description),
  );
}

function missing(entries: v.ObjectEntries, key: unknown): string {
  const schema = typeof key === 'string' ? entries[key] : undefined;
  return `write ${(schema && v.getDescription(schema)) ?? 'it'}`;
}

function isTable(input: unknown): boolean {
  return typeof input === 'object' && input !== null && !Array.isArray(input) && !(input instanceof Date);
}

/** How an absolute path is asked for. */
const absolute = (example: string) => `an absolute path, such as "${example}"`;

const exportTable = {
  path: v.optional(text(absolute('/srv/vol1'), readPath)),
  clients: text('a client specification of exports(5), such as "*"', readClients),
  options: v.optional(text('exports(5) options, such as "rw,no_subtree_check"', readExportOptions), ''),
};

const filesystemTable = {
  fsid: value('an integer from 1 to 4294967295, or a UUID in quotes', readFsid),
  device: text('an absolute path, or UUID=... or LABEL=...', readDevice),
  mountpoint: text(absolute('/srv/vol1'), readMountpoint),
  type: text('the file system\'s type, such as "ext4"', readType),
  options: v.optional(text('mount options, such as "noatime"', readMountOptions), ''),
  export: tables('floating_ip.filesystem.export', exportTable),
};

const floatingIpTable = {
  address: text('an address with its prefix length, such as "10.10.1.1/24"', readPrefixedAddress),
  interface: text('the name of a network interface, such as "eth0"', readInterfaceName),
  names: v.optional(
    v.array(text('host names in quotes', readHostName), 'write an array of host names: ["nfs1.example.com"]'),
    [],
  ),
  state_directory: v.optional(text(absolute('/srv/vol1/.nlm'), readPath)),
  filesystem: tables('floating_ip.filesystem', filesystemTable),
};

/** A driver's key: judged, and left as it is, since only its driver knows its type (settingOf). */
function driverKey({ wanted, read }: DriverKey) {
  return v.exactOptional(
    value(wanted, (input) => {
      const result = read(input);
      return result instanceof Wrong ? result : input;
    }),
  );
}

function lockManagerTable(drivers: readonly DriverSettings[]) {
  const driver = oneOf(['auto', ...drivers.map(({ name }) => name)]);
  return {
    ...Object.fromEntries(keysOf(drivers).map(({ key }) => [key.name, driverKey(key)])),
    driver: v.optional(value(driver.wanted, driver.read), 'auto'),
  };
}

const seconds = value(wholeSeconds.wanted, wholeSeconds.read);

/** The compiler sees that every step has its key. */
const timeoutsTable = {
  step: v.exactOptional(seconds),
  'A-1': v.exactOptional(seconds),
  'A-2': v.exactOptional(seconds),
  'A-3': v.exactOptional(seconds),
  'A-4': v.exactOptional(seconds),
  'B-1': v.exactOptional(seconds),
  'B-2': v.exactOptional(seconds),
  'B-3': v.exactOptional(seconds),
  'B-4': v.exactOptional(seconds),
  'B-5': v.exactOptional(seconds),
  settle: v.exactOptional(seconds),
  busy: v.exactOptional(seconds),
  record: v.exactOptional(seconds),
} satisfies Record<StepName, unknown> & Readonly<Record<string, unknown>>;

/**
 * Judges every value on its own; what they must be to each other is in relations.ts. [lock_manager] has the keys of these
 * drivers beside its own.
 */
export function schemaOf(drivers: readonly DriverSettings[]) {
  return table('its keys', {
    node: v.optional(text('the name of this node', readNodeName)),
    state: v.optional(
      table('[state]', { directory: v.optional(text(absolute('/shared_storage'), readPath)) }),
      {},
    ),
    lock_manager: v.optional(table('[lock_manager]', lockManagerTable(drivers)), {}),
    timeouts: v.optional(table('[timeouts]', timeoutsTable), {}),
    floating_ip: tables('floating_ip', floatingIpTable),
  });
}

/** The file's content once every value has been accepted. */
export type ConfigFile = v.InferOutput<ReturnType<typeof schemaOf>>;
