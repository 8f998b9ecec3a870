import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { Host } from '../host.js';
import { realHost } from '../real.js';
import { instancePlace, instancePrefix } from './place.js';

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
    const own = ownDirectories.find(([inside]) => absolute === inside || absolute.startsWith(`${inside}/`));
    return own === undefined ? absolute : path.join(own[1], absolute.slice(own[0].length));
  };
  return {
    ...realHost,
    path: outside,
    run: (argv, options) => realHost.run([...prefix, ...argv], options),
    readText: (absolute) =>
      isPerNamespace(absolute) ? readInside(prefix, absolute) : realHost.readText(outside(absolute)),
    writeKernel: (absolute, text) => {
      if (isPerNamespace(absolute)) writeInside(prefix, absolute, text);
      else realHost.writeKernel(outside(absolute), text);
    },
  };
}

/** /proc/fs/nfsd is mounted inside only; /proc/fs/lockd and the network's sysctls answer for the reader's namespace. */
function isPerNamespace(absolute: string): boolean {
  return absolute === '/proc/self/mountinfo' || /^\/proc\/(?:fs\/(?:nfsd|lockd)|sys\/net)\//.test(absolute);
}

function readInside(prefix: readonly [string, ...string[]], file: string): string | undefined {
  const [command, ...args] = prefix;
  try {
    return execFileSync(command, [...args, 'cat', file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch {
    return undefined; // no such file, or no instance
  }
}

/** tee(1) writes what it reads in one write(2), as these files want it; see Host.writeKernel. */
function writeInside(prefix: readonly [string, ...string[]], file: string, text: string): void {
  const [command, ...args] = prefix;
  execFileSync(command, [...args, 'tee', '-a', file], { input: text, stdio: ['pipe', 'ignore', 'pipe'] });
}
