import { Wrong } from './problem.js';

// The values of [lock_manager].

export const drivers = ['auto', 'nlm-fsid', 'lockd', 'lockd-netns'] as const;
export const links = ['macvlan', 'ipvlan', 'veth'] as const;

/** nfsd and rpcbind have theirs in every instance, because NFSv3 clients look nowhere else. */
const takenPorts: ReadonlyMap<number, string> = new Map([
  [111, 'rpcbind'],
  [2049, 'nfsd'],
]);

/** Words as messages name them: "a", "b". */
export function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(', ');
}

/** `lock_manager.driver`, or the reason why it cannot be one. */
export function readDriver(text: string): (typeof drivers)[number] | Wrong {
  return drivers.find((name) => name === text) ?? new Wrong(`write one of ${quoted(drivers)}`);
}

/** `lock_manager.link`, or the reason why it cannot be one. */
export function readLink(text: string): (typeof links)[number] | Wrong {
  return links.find((name) => name === text) ?? new Wrong(`write one of ${quoted(links)}`);
}

/** `lock_manager.restart`, an argument vector, or the reason why it cannot be one. */
export function readRestart(input: unknown): [string, ...string[]] | Wrong {
  const wanted = 'a command and its arguments, such as ["systemctl", "restart", "nfs-server"]';
  if (!Array.isArray(input)) return new Wrong(`write an array of strings: ${wanted}`);
  const words = input.filter((word): word is string => typeof word === 'string' && /^[^\0]+$/.test(word));
  const [command, ...rest] = words;
  if (command === undefined || words.length < input.length) {
    return new Wrong(`write an array of strings, none of them empty: ${wanted}`);
  }
  if (command.startsWith('-') || (command.includes('/') && !command.startsWith('/'))) {
    return new Wrong('the command is a name to be found in PATH, or an absolute path');
  }
  return [command, ...rest];
}

/** How an integer is asked for, and read from what TOML makes of it: a bigint, where 8.0 is a number. */
interface IntegerWords {
  readonly wanted: string;
  readonly read: (input: unknown) => number | Wrong;
}

export function wholeNumber(wanted: string, min: bigint, max: bigint): IntegerWords {
  return {
    wanted,
    read: (input) =>
      typeof input === 'bigint' && input >= min && input <= max
        ? Number(input)
        : new Wrong(`write ${wanted}, without quotes`),
  };
}

/** `lock_manager.threads`. */
export const threadCount = wholeNumber('an integer from 1 to 1024', 1n, 1024n);

/**
 * `lock_manager.grace`, seconds. lockd takes 0 to 240 (fs/lockd/svc.c, nlm_grace_period_max); below 10
 * clients that were told at once have no time to reclaim.
 */
export const graceSeconds = wholeNumber('whole seconds from 10 to 240', 10n, 240n);

export const servicePort = wholeNumber('a port from 1 to 65535', 1n, 65_535n);

/** `lock_manager.*_port`, or the reason why it cannot be one. */
export function readPort(input: unknown): number | Wrong {
  const port = servicePort.read(input);
  const taken = typeof port === 'number' ? takenPorts.get(port) : undefined;
  return taken === undefined ? port : new Wrong(`this is the port of ${taken}; write another one`);
}
