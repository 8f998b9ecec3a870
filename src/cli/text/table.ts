import { printable } from './printable.js';

/** Left-aligned columns, two blanks apart, a line each, whatever is in the cells. Each row is measured before the first line is made. */
export class Table {
  readonly #head: readonly string[];
  readonly #widths: number[];

  constructor(head: readonly string[]) {
    this.#head = head;
    this.#widths = head.map((title) => title.length);
  }

  measure(row: readonly string[]): void {
    for (const [column, cell] of row.entries())
      this.#widths[column] = Math.max(this.#widths[column] ?? 0, printable(cell).length);
  }

  get head(): string {
    return this.line(this.#head);
  }

  line(row: readonly string[]): string {
    const cells = row.map((cell, column) => printable(cell).padEnd(this.#widths[column] ?? 0));
    return `${cells.join('  ').trimEnd()}\n`;
  }
}

/** A table of few rows, whole. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table(head);
  for (const row of rows) made.measure(row);
  return [made.head, ...rows.map((row) => made.line(row))].join('');
}
