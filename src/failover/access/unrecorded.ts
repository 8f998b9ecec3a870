import { setTimeout as delay } from 'node:timers/promises';
import { escapeBytes, isClientName } from '../../names.js';

/** statd lists a client before the callout is called, and after: what is missing then is there a moment later. */
const settleMs = 500;

/** Whom statd monitors and the record has not, twice in a row; what can be no client's name is left out, as the callout refuses it. */
export async function unrecorded(
  monitored: () => Promise<readonly string[]>,
  recorded: () => readonly string[] | undefined,
): Promise<string[]> {
  const look = async (): Promise<string[]> => {
    const hosts = (await monitored()).filter(isClientName);
    if (hosts.length === 0) return [];
    const known = recorded();
    if (known === undefined) return [];
    const names = new Set(known);
    return hosts.filter((name) => !names.has(name));
  };
  const first = await look();
  if (first.length === 0) return [];
  await delay(settleMs);
  const again = new Set(await look());
  return first.filter((name) => again.has(name)).toSorted();
}

/** The first few of them, safe to print. */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => escapeBytes(name, 60));
  return names.length > shown.length
    ? `${shown.join(', ')} and ${names.length - shown.length} more`
    : shown.join(', ');
}
