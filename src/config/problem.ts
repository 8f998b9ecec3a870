/** What a validator answers instead of a value: why it refused, and what would be right. */
export class Wrong {
  readonly because: string;

  constructor(because: string) {
    this.because = because;
  }
}

/** One thing that is wrong with a configuration. */
export interface Problem {
  /** Keys and indices from the top: ["floating_ip", 0, "address"]. */
  readonly path: readonly (string | number)[];
  /** What would be right. */
  readonly message: string;
}

const VALUE_MAX = 80;
/** What JSON leaves as it is although a terminal acts on it or does not show it. */
const INVISIBLE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * One line: the file, the key's path, its value as in the file, what would be right.
 *
 *     /etc/nlm-failover.toml: floating_ip[0].filesystem[1].fsid = 0: 0 means the NFSv4 root ...
 *     /etc/nlm-failover.toml: floating_ip[0].interface is missing: write ...
 */
export function renderProblem(file: string, root: unknown, { path, message }: Problem): string {
  const value = path.reduce(valueAt, root);
  const subject = path.length === 0 ? '' : ` ${renderPath(path)}`;
  return `${file}:${subject}${value === undefined ? ' is missing' : ` = ${renderValue(value)}`}: ${message}`;
}

/** floating_ip[0].address; a key that is not a bare TOML key stands in quotes. */
export function renderPath(path: readonly (string | number)[]): string {
  return path
    .map((part, at) => {
      if (typeof part === 'number') return `[${part}]`;
      const key = /^[A-Za-z0-9_-]+$/.test(part) ? part : visible(JSON.stringify(part));
      return at === 0 ? key : `.${key}`;
    })
    .join('');
}

function valueAt(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined;
}

/** A value on one line, as TOML would have it, as short as it needs to be to be found again. */
export function renderValue(value: unknown): string {
  const text = visible(asToml(value));
  return text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}...` : text;
}

function asToml(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid date' : value.toJSON();
  if (Array.isArray(value)) return `[${value.map(asToml).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const members = Object.entries(value).map(([key, member]) => `${renderPath([key])} = ${asToml(member)}`);
  return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`;
}

function visible(text: string): string {
  return text.replaceAll(INVISIBLE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
