import type { NfsClient } from './client.js';
import { inGuest } from './project-root.js';
import type { Server } from './server.js';

/** What lockd answered to a request for a new lock, from then on until the next. */
export interface NlmAnswer {
  /** ms since 1970. */
  readonly at: number;
  /** As RFC 1813 appendix II has them, in a word; "silence" for none. */
  readonly status: string;
}

/** A client without a kernel of its own in the way: see nlm-rival-inside.ts. */
export interface NlmRival {
  /** Stops it and tells for each file how lockd's answer changed. */
  stop(): Promise<
    Readonly<Record<string, { readonly tries: number; readonly answers: readonly NlmAnswer[] }>>
  >;
}

/** The file handle by which NFS clients know a file of an export to everybody, where the address is served: nfsd's own word. */
export async function fileHandle(server: Server, address: string, file: string): Promise<string> {
  // As rpc.mountd asks it (nfs-utils support/export/cache.c, cache_get_filehandle): \x and hexadecimal digits.
  const script = `exec nsenter "--net=/run/netns/nfs-$1" "--mount=/run/nlm-failover/instances/$1/mnt" sh -ec '
      exec 3<>/proc/fs/nfsd/filehandle
      printf "* %s 64\\n" "$1" >&3
      read -r handle <&3
      echo "$handle"' sh "$2"`;
  const { stdout } = await server.run(script, { args: [address, file] });
  return stdout.trim().replace(/^\\x/, '');
}

let rivals = 0;

/** Starts it; `handles` by name. Resolves when it asks. */
export async function startNlmRival(
  client: NfsClient,
  address: string,
  handles: Readonly<Record<string, string>>,
): Promise<NlmRival> {
  rivals += 1;
  const stopFile = `/run/nlm-rival-stop-${rivals}`;
  const program = inGuest('build/test/lab/nlm-rival-inside.js');
  const targets = Object.entries(handles).map(([name, handle]) => `${name}=${handle}`);
  const job = await client.start(['node', program, stopFile, address, ...targets], { timeoutSeconds: 600 });
  return {
    stop: async () => {
      await client.run(['touch', stopFile]);
      const lines = (await job.result()).stdout.trimEnd().split('\n');
      return Object.fromEntries(
        Object.keys(handles).map((name) => {
          const answers = lines.flatMap((line) => {
            const [, at, of, status = ''] = /^(\d+) (\S+) (.+)$/.exec(line) ?? [];
            return of === name ? [{ at: Number(at), status }] : [];
          });
          const tries = Number(lines.find((line) => line.startsWith(`tries ${name} `))?.split(' ')[2]);
          return [name, { tries, answers }];
        }),
      );
    },
  };
}
