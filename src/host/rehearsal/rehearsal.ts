import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { exitCodes, FailoverError } from '../../errors.js';
import { isAtOrBelow } from '../../paths.js';
import type { Host } from '../host.js';
import { parseMountinfo } from '../reading/mounts.js';
import { nfsdThreads } from '../reading/nfsd.js';
import { readTextIfThere } from '../real.js';
import { rehearseCommand, rehearseWrite } from './rehearsed-commands.js';

const nfsd = '/proc/fs/nfsd';
/** These are the machine's own also in a rehearsal: the callout reads them. */
const realFiles = new Set(['/proc/uptime', '/proc/sys/kernel/random/boot_id']);

/**
 * One node of a rehearsal: the same sequence, without root and without touching the machine.
 * Every path lies below the node's directory; ip, mount, umount and exportfs keep their state in
 * files there, in the formats of the real ones; writes to nfsd's files have the kernel's effect on
 * the rehearsed /proc/locks. A device is a directory that both nodes' /dev link to, so that what
 * lies on it, the record too, moves. The record, the journal and the packets are real.
 * As on a machine a command has happened or it has not: each changes one file with one write.
 */
export function openRehearsal(directory: string): {
  host: Host;
  rpcbindPort: number;
  nlmRegistered: () => Promise<boolean>;
} {
  if (!existsSync(path.join(directory, 'rehearsal'))) {
    throw new FailoverError(`${directory} is not a rehearsal directory: it has no file named rehearsal`, {
      code: 'NOT_A_REHEARSAL',
      exitCode: exitCodes.usage,
      operation: 'reading NLM_FAILOVER_REHEARSAL',
      hint: 'Unset NLM_FAILOVER_REHEARSAL to work on this machine itself.',
    });
  }
  const host = rehearsalHost(directory);
  giveMachineId(host);
  return {
    host,
    rpcbindPort: Number.parseInt(readFileSync(path.join(directory, 'rehearsal'), 'utf8'), 10),
    nlmRegistered: async () => nfsdThreads(host, nfsd) > 0,
  };
}

/** As a machine has one from its first boot on. */
function giveMachineId(host: Host): void {
  const file = '/etc/machine-id';
  if (host.readText(file) !== undefined) return;
  mkdirSync(path.dirname(host.path(file)), { recursive: true });
  writeFileSync(host.path(file), `${randomUUID().replaceAll('-', '')}\n`);
}

/** A node whose machine is the directory; see openRehearsal. */
export function rehearsalHost(directory: string): Host {
  const inside = (absolute: string) =>
    realFiles.has(absolute) ? absolute : path.join(directory, throughMount(directory, absolute));
  const host: Host = {
    kind: 'rehearsal',
    path: inside,
    run: async (argv, options) => rehearseCommand(host, argv, options?.input),
    readText: (absolute) => readTextIfThere(inside(absolute)),
    writeKernel: async (absolute, text) => rehearseWrite(host, absolute, text),
    now: () => Date.now(),
    delay: (ms, signal) => delay(ms, undefined, signal === undefined ? undefined : { signal }),
  };
  return host;
}

/** A path below a rehearsed mount point lies on the device. */
function throughMount(directory: string, absolute: string): string {
  if (absolute.startsWith('/proc/')) return absolute;
  const table = readTextIfThere(path.join(directory, '/proc/self/mountinfo')) ?? '';
  const over = parseMountinfo(table).findLast(({ mountpoint }) => isAtOrBelow(absolute, mountpoint));
  return over === undefined ? absolute : over.source + absolute.slice(over.mountpoint.length);
}
