import { waitUntil } from '../running/wait.js';
import { type Action, commandText, type HostContext, runOrFail } from '../action.js';
import type { Argv, Host } from '../host.js';
import { currentDeadline } from '../running/deadline.js';
import { isAtOrBelow } from '../../paths.js';
import { mountAt, unescapeOctal } from '../reading/mounts.js';

/** What mountd has answered to nfsd, as the kernel keeps it. An entry with a path keeps that file system mounted, also one that counts no more. */
const tables = ['/proc/net/rpc/nfsd.export', '/proc/net/rpc/nfsd.fh'];

/**
 * the kernel forgets what mountd said about exports, which otherwise pins the mount.
 *
 * Where the kernel is told so a second time in one second, as `exportfs -u` tells it too, it puts the time of that forward by a second for
 * each, and takes nothing out before the time has come: then at the next word, or by itself within half a minute (net/sunrpc/cache.c,
 * write_flush, cache_clean). What a client had asked for meanwhile would stay that long. So it is told again when the time has passed.
 */
export function flushExports(mountpoints: readonly string[]): Action<HostContext> {
  const command: Argv = ['exportfs', '-f'];
  return {
    commands: [commandText(command)],
    check: ({ host }) => mountpoints.every((mountpoint) => mountAt(host, mountpoint) === undefined),
    act: async ({ host }) => {
      await runOrFail(host, command);
      const { limit, left } = currentDeadline();
      const settleMs = limit.settle * 1000;
      let end = performance.now() + 1000 + settleMs;
      const isForgotten = async () => {
        if (!isKept(host, mountpoints)) return true;
        const ahead = secondsAhead(host);
        // Each exportfs on the node puts it off again, also one for another address: the patience begins when it has passed.
        if (ahead > 0) end = performance.now() + (ahead + 1) * 1000 + settleMs;
        if (ahead < 0) await runOrFail(host, command);
        return !isKept(host, mountpoints);
      };
      const isOver = async () => (await isForgotten()) || performance.now() >= end;
      const what = 'the kernel to forget its exports (/proc/net/rpc/nfsd.fh/content)';
      // However often it is put off, half of the step's time is left for umount, which names who keeps the file system busy.
      const seconds = Math.max(limit.settle, left / 2000);
      await waitUntil(host, what, isOver, { seconds, intervalMs: 100 });
      if (!isKept(host, mountpoints)) return undefined;
      return `the kernel still has exports below ${mountpoints.join(', ')} in /proc/net/rpc/nfsd.export/content or /proc/net/rpc/nfsd.fh/content`;
    },
    verify: () => undefined,
  };
}

/** Whether an entry has a path at or below one of these: the fields are divided by blanks, and only a path, which is without links here, begins with a slash. Nothing of a file system is asked, which may be another address's, and dead. */
function isKept(host: Host, mountpoints: readonly string[]): boolean {
  const paths = tables.flatMap((table) =>
    (host.readText(`${table}/content`) ?? '')
      .split(/\s+/)
      .filter((word) => word.startsWith('/'))
      .map((word) => unescapeOctal(word)),
  );
  return paths.some((path) => mountpoints.some((mountpoint) => isAtOrBelow(path, mountpoint)));
}

/** For how many seconds the kernel takes nothing out; negative: it does. */
function secondsAhead(host: Host): number {
  const flushed = tables.map((table) => Number.parseInt(host.readText(`${table}/flush`) ?? '', 10) || 0);
  return Math.max(...flushed) - Math.floor(host.now() / 1000);
}
