import { readFileSync, statSync } from 'node:fs';
import { hostname as osHostname } from 'node:os';
import type { Environment } from '../environment.js';
import type { ErrorCode } from '../error-codes.js';
import { FailoverError, errnoOf, exitCodes, messageOf } from '../errors.js';
import type { Config } from './config.js';
import type { DriverSettings } from './driver-settings.js';

export const defaultConfigFile = '/etc/nlm-failover.toml';

export interface LoadOptions {
  /** The value of --config, if it was given. */
  readonly file?: string | undefined;
  readonly env?: Environment;
  /** The default of `node`. */
  readonly hostname?: string;
  /** See ParseOptions. */
  readonly drivers: readonly DriverSettings[];
  /** How the file is read; by default at once, with whatever that waits for. */
  readonly read?: (file: string) => Uint8Array | Promise<Uint8Array>;
}

/**
 * Reads the configuration: --config, else NLM_FAILOVER_CONFIG, else /etc/nlm-failover.toml.
 *
 * @throws FailoverError CONFIG_NOT_FOUND, CONFIG_UNREADABLE or CONFIG_INVALID, exit code 3.
 */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  const { env, hostname = osHostname(), drivers, read = readFileSync } = options;
  const file = configFile(options.file, env);
  const text = await readText(file, read);
  // Here, because the parser and the validator are paid for only by commands that read a file.
  const { parseConfig } = await import('./parse-config.js');
  return parseConfig(text, { file, hostname, drivers });
}

/** Which file that is. `given`: the value of --config. */
export function configFile(given: string | undefined, env: Environment = process.env): string {
  return given ?? (env.NLM_FAILOVER_CONFIG || defaultConfigFile);
}

/** Another text as soon as a file holds something else, is another one, or is gone. */
export function versionOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch (error) {
    return messageOf(error);
  }
}

async function readText(file: string, read: NonNullable<LoadOptions['read']>): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await read(file));
  } catch (error) {
    if (error instanceof FailoverError) throw error;
    throw unreadable(file, error);
  }
}

interface Reason {
  readonly code: ErrorCode;
  readonly says: string;
  readonly hint: string;
}

const notFound: Reason = {
  code: 'CONFIG_NOT_FOUND',
  says: 'there is no such configuration file',
  hint: `Write ${defaultConfigFile}, or name another file with --config or NLM_FAILOVER_CONFIG.`,
};
const forbidden: Reason = {
  code: 'CONFIG_UNREADABLE',
  says: 'this user may not read it',
  hint: 'Run the command as root.',
};
const reasons = new Map<string | undefined, Reason>([
  ['ENOENT', notFound],
  ['ENOTDIR', notFound],
  ['EACCES', forbidden],
  ['EPERM', forbidden],
  [
    'ERR_ENCODING_INVALID_ENCODED_DATA',
    {
      code: 'CONFIG_INVALID',
      says: 'this is not UTF-8 text',
      hint: 'Save the file as UTF-8, as TOML wants it.',
    },
  ],
]);

function unreadable(file: string, cause: unknown): FailoverError {
  const { code, says, hint } = reasons.get(errnoOf(cause)) ?? {
    code: 'CONFIG_UNREADABLE',
    says: `it cannot be read: ${messageOf(cause)}`,
    hint: 'Name a readable file with --config or NLM_FAILOVER_CONFIG.',
  };
  return new FailoverError(`${file}: ${says}`, {
    code,
    exitCode: exitCodes.configuration,
    operation: `reading ${file}`,
    hint,
    cause,
  });
}
