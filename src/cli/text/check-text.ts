import { counted } from '../../counted.js';
import type { CheckLine } from '../../site/check/run-checks.js';
import { printable } from './printable.js';

const words = { ok: 'ok', warning: 'WARNING', failure: 'FAILURE' } as const;

/** The lines of `check`, below a heading for the node and for each address. */
export class CheckText {
  readonly #node: string;
  #under: string | undefined;
  #warnings = 0;
  #failures = 0;

  constructor(node: string) {
    this.#node = node;
  }

  /** One line, with its heading where that is another one, and with what to do below it. */
  line({ address, check, verdict, message, hint }: CheckLine): string {
    if (verdict === 'warning') this.#warnings += 1;
    if (verdict === 'failure') this.#failures += 1;
    const under = address ?? `this node, ${this.#node}`;
    const heading = under === this.#under ? '' : `${printable(under)}\n`;
    this.#under = under;
    const todo = hint === undefined ? '' : `                     ${printable(hint)}\n`;
    return `${heading}  ${words[verdict].padEnd(7)}  ${check.padEnd(8)}  ${printable(message)}\n${todo}`;
  }

  /** The last line. */
  end(): string {
    const found = [
      ...(this.#failures === 0 ? [] : [counted(this.#failures, 'failure')]),
      ...(this.#warnings === 0 ? [] : [counted(this.#warnings, 'warning')]),
    ];
    return `${found.length === 0 ? 'nothing stands in the way of a failover' : found.join(', ')}\n`;
  }
}

/** For --json. */
export function checkJson({ address, check, verdict, message, hint }: CheckLine) {
  return { address: address ?? null, check, verdict, message, hint: hint ?? null };
}
