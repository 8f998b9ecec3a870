import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import { isAtOrBelow } from '../../paths.js';
import type { Host } from '../../host/host.js';
import { currentDeadline } from '../../host/running/deadline.js';
import { realHost, writeKernel } from '../../host/real.js';
import { doing } from '../../host/running/watchdog.js';
import type { ServingPlace } from '../port.js';
import {
  canBeEntered,
  hasMountNamespace,
  instanceExists,
  instanceInterface,
  instancePlace,
  instancePrefix,
} from './place.js';
import { instanceMember, instanceProcesses } from './processes.js';

/**
 * The host as seen from inside an instance: commands run in its namespaces, /run and /var/lib/nfs are
 * its own, and so are the kernel's files that differ per network namespace (/proc/fs/nfsd, /proc/fs/lockd).
 * Everything else is the host's.
 */
export function insideInstance(address: string): Host {
  const place = instancePlace(address);
  const prefix = instancePrefix(address);
  const ownDirectories = [
    ['/run', place.run],
    ['/var/lib/nfs', place.nfs],
  ] as const;
  const outside = (absolute: string): string => {
    const own = ownDirectories.find(([inside]) => isAtOrBelow(absolute, inside));
    return own === undefined ? absolute : path.join(own[1], absolute.slice(own[0].length));
  };
  return {
    ...realHost,
    path: outside,
    run: (argv, options) => realHost.run([...prefix, ...argv], options),
    readText: (absolute) =>
      isPerNamespace(absolute) ? readInside(address, absolute) : realHost.readText(outside(absolute)),
    writeKernel: (absolute, text) =>
      isPerNamespace(absolute)
        ? writeKernel(absolute, text, prefix)
        : realHost.writeKernel(outside(absolute), text),
  };
}

/** The instance of an address as the place where it is served; `host` is the node that has it. */
export function servingPlace(host: Host, address: string): ServingPlace {
  const inside = insideInstance(address);
  return {
    host: inside,
    interface: instanceInterface,
    run: instancePlace(address).runDirectory,
    enter: instancePrefix(address),
    canBeEntered: () => canBeEntered(host, address),
    isUnfinished: () =>
      instanceExists(host, address) &&
      !hasMountNamespace(host, address) &&
      instanceProcesses(host, address).length === 0,
    absence: () =>
      instanceExists(host, address)
        ? undefined
        : `The instance of ${address} does not run, so there is nothing to serve it from`,
  };
}

/** /proc/fs/nfsd is mounted inside only; /proc/fs/lockd and the network's sysctls answer for the reader's namespace. */
function isPerNamespace(absolute: string): boolean {
  return (
    absolute === '/proc/self/mountinfo' ||
    /^\/proc\/(?:fs\/(?:nfsd|lockd)|self\/net|sys\/net)\//.test(absolute)
  );
}

/**
 * Through a process of the instance where the file is the same for every reader that sees it (proc(5), /proc/PID/root): no
 * process to start. lockd's and the network's answer for the reader's own network namespace.
 */
function readInside(address: string, file: string): string | undefined {
  const text = /^\/proc\/(?:fs\/nfsd|self)\//.test(file) ? readThroughMember(address, file) : undefined;
  if (text !== undefined) return text;
  // Without the namespace there is nobody to ask.
  if (!existsSync(instancePlace(address).netnsFile)) return undefined;
  const [command, ...args] = instancePrefix(address);
  const deadline = currentDeadline();
  deadline.refuseWhenOver(`read ${file}`);
  doing(`reading ${file} in the instance of ${address}`);
  try {
    return execFileSync(command, [...args, 'cat', file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: Math.ceil(deadline.left),
      killSignal: 'SIGKILL',
    });
  } catch (error) {
    if (errnoOf(error) === 'ETIMEDOUT')
      throw deadline.error(`${file} of the instance of ${address} could not be read`);
    return undefined; // no such file, or no instance
  }
}

/** Undefined where there is no member, no such file, or the member ended meanwhile, which has as many errnos as places to be found out. */
function readThroughMember(address: string, file: string): string | undefined {
  const member = instanceMember(address);
  if (member === undefined) return undefined;
  try {
    return realHost.readText(
      file.startsWith('/proc/self/')
        ? `/proc/${member}${file.slice('/proc/self'.length)}`
        : `/proc/${member}/root${file}`,
    );
  } catch {
    return undefined;
  }
}
