import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJournal, type EventLine } from '../../src/record/journal/journal.js';
import type { RehearsalNode } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';
import { type Helper, start } from '../record/helpers/process.js';
import { waitFor } from '../wire/wait-for.js';
import type { ExecutionContext } from 'ava';

/** One call of the callout. Its name, such as "add-client A-17", is in the journal: 17 is in place of statd's my_name. */
export interface Call {
  readonly name: string;
  /** Seconds since boot, before it was called, and after it had returned. */
  readonly began: number;
  readonly ended: number;
}

/** The addresses of a node's clients come again after so many. */
export const addresses = 512;
/** So many clients are monitored at a time. */
const monitored = 24;

/**
 * What a busy single-threaded rpc.statd does: the real callout, one call after the other, as fast as they go. The words that it
 * writes are built in, so that each line costs no process but the callout's. It does not look at the exit status: statd does not.
 */
const loop = `
at() { n=$(($1 % ${addresses})) && client=$net.$((n / 256)).$((n % 256)) && read -r up _ </proc/uptime; }
i=0
while [ ! -e "$stop" ]; do
  at $i && echo "add-client $node-$i $up" && "$callout" add-client "$client" "$node-$i" 2>/dev/null
  if [ $i -ge ${monitored} ]; then
    d=$((i - ${monitored}))
    at $d && echo "del-client $node-$d $up" && "$callout" del-client "$client" "$node-$d" 2>/dev/null
  fi
  i=$((i + 1))
done
read -r up _ </proc/uptime && echo "end - $up"
`;

/** The rpc.statd of one rehearsed node, and the journals that its callouts wrote. */
export class FullSpeedStatd {
  readonly node: RehearsalNode;
  readonly #stop: string;
  readonly #shell: Helper;
  readonly #done: Promise<Call[]>;
  /** Open, so that a journal can be read when another has taken its name. */
  readonly #journals: number[] = [];
  readonly #journal: string;
  readonly #calls: Call[] = [];

  /** `net`: of the clients' addresses, "127.80". */
  constructor(t: ExecutionContext, node: RehearsalNode, net: string, recordDirectory: string) {
    this.node = node;
    this.#stop = join(node.root, 'stop');
    this.#journal = join(recordDirectory, `journal.${node.name}`);
    const callout = join(projectRoot(), 'callouts', 'ha-callout');
    this.#shell = start(t, '/bin/sh', ['-c', loop], {
      ...process.env,
      net,
      node: node.name,
      callout,
      stop: this.#stop,
      NLM_FAILOVER_RUN: join(node.root, 'run', 'nlm-failover'),
    });
    this.#done = this.#read();
  }

  async #read(): Promise<Call[]> {
    const calls = this.#calls;
    let last: { name: string; began: number } | undefined;
    for (let line = await this.#shell.line(); line !== undefined; line = await this.#shell.line()) {
      const [kind = '', id = '', up = ''] = line.split(' ');
      if (last !== undefined) calls.push({ ...last, ended: Number(up) });
      last = { name: `${kind} ${id}`, began: Number(up) };
    }
    return calls;
  }

  /** Waits until so many more calls have returned. */
  async makeCalls(count: number): Promise<void> {
    const enough = this.#calls.length + count;
    await waitFor(`${count} calls of the callout`, async () => this.#calls.length >= enough);
  }

  /** Call it after each takeover of this node. */
  keepJournal(): void {
    this.#journals.push(openSync(this.#journal, 'r'));
  }

  /** Ends it; every call that it made. */
  async stop(): Promise<Call[]> {
    writeFileSync(this.#stop, '');
    return await this.#done;
  }

  /** The events of each of its journals, in the order in which they were written. */
  events(): EventLine[][] {
    return this.#journals.map((fd) =>
      parseJournal(readFileSync(fd)).entries.flatMap(({ text, line }) => {
        if (line === undefined) throw new Error(`a bad line: ${text}`);
        return line.kind === 'add-client' || line.kind === 'del-client' ? [line] : [];
      }),
    );
  }
}

/** Seconds since boot, as the callout and its caller read them. */
export function uptimeNow(): number {
  return Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]);
}
