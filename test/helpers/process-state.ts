import { readFileSync } from 'node:fs';

/** R, S, D, Z...; undefined: there is no such process. */
export function stateOf(pid: number): string | undefined {
  try {
    return /\) (\S) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
