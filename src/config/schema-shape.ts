import { renderValue } from './problem.js';

/** What the manual says of a key or a table. */
export interface KeyText {
  /** What it is for; `text in backticks` becomes bold. */
  readonly text: string;
  /** What holds where the file has none, in the manual's words; absent: the schema's default, and without one it is required. */
  readonly default?: string;
  /** The drivers that it is for; absent: it is no driver's. */
  readonly of?: readonly string[];
}

/** As much of a valibot schema as says which keys a table has, and what was written about them. */
export interface Shape {
  readonly type?: string;
  readonly entries?: Readonly<Record<string, Shape>>;
  readonly item?: Shape;
  readonly wrapped?: Shape;
  readonly pipe?: readonly Shape[];
  readonly default?: unknown;
  readonly description?: string;
  readonly metadata?: KeyText;
}

/** The keys of a table. */
export function entriesOf(shape: Shape): Shape['entries'] {
  return shape.entries ?? first(shape, entriesOf);
}

/** What an array is made of. */
export function itemOf(shape: Shape): Shape | undefined {
  return shape.item ?? first(shape, itemOf);
}

/** What v.description has put there. */
function descriptionOf(shape: Shape): string | undefined {
  return shape.description ?? first(shape, descriptionOf);
}

/** What v.metadata has put there. */
function metadataOf(shape: Shape): KeyText | undefined {
  return shape.metadata ?? first(shape, metadataOf);
}

/** Looks inside v.optional and v.pipe. */
function first<T>(shape: Shape, look: (inner: Shape) => T | undefined): T | undefined {
  if (shape.wrapped) return look(shape.wrapped);
  for (const inner of shape.pipe ?? []) {
    const found = inner === shape ? undefined : look(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A key of the file, for the manual. */
export interface KeyRow {
  readonly name: string;
  /** What a value is: "an absolute path, such as ...". */
  readonly wanted: string;
  readonly text: string;
  /** What holds without it; undefined: it is required. */
  readonly default: string | undefined;
  /** The drivers that it is for; undefined: it is no driver's. */
  readonly of: readonly string[] | undefined;
}

export interface KeyTable {
  /** As the file has it: "[timeouts]", "[[floating_ip]]"; empty for the top. */
  readonly header: string;
  readonly text: string;
  readonly keys: readonly KeyRow[];
}

/** Every table of the file with its keys, read off the schema that judges it. */
export function keyTables(schema: Shape): KeyTable[] {
  return tablesBelow(schema, '');
}

function tablesBelow(shape: Shape, path: string): KeyTable[] {
  const entries = Object.entries(entriesOf(shape) ?? {});
  const keys = entries.filter(([, member]) => tableOf(member) === undefined);
  const own: KeyTable = {
    header: path,
    text: textOf(shape).text,
    keys: keys.map(([name, member]) => keyRow(name, member)),
  };
  const below = entries.flatMap(([name, member]) => {
    const inner = tableOf(member);
    if (inner === undefined) return [];
    const dotted = `${path.replaceAll(/[[\]]/g, '')}.${name}`.replace(/^\./, '');
    return tablesBelow(inner, itemOf(member) === undefined ? `[${dotted}]` : `[[${dotted}]]`);
  });
  return [own, ...below];
}

/** The table that this key holds, one or an array of them; undefined: the key is no table. */
function tableOf(member: Shape): Shape | undefined {
  const table = itemOf(member) ?? member;
  return entriesOf(table) === undefined ? undefined : table;
}

function keyRow(name: string, member: Shape): KeyRow {
  const { text, default: otherwise, of } = textOf(member);
  return {
    name,
    wanted: descriptionOf(member) ?? '',
    text,
    default: otherwise ?? (isOptional(member) ? renderValue(member.default) : undefined),
    of,
  };
}

function isOptional({ type }: Shape): boolean {
  return type === 'optional' || type === 'exact_optional';
}

function textOf(shape: Shape): KeyText {
  const text = metadataOf(shape);
  if (text === undefined)
    throw new TypeError(`the schema says nothing of ${descriptionOf(shape) ?? 'a key'}`);
  return text;
}
