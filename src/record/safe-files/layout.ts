import { join } from 'node:path';

/** `<state>/sm_<address>`: where everything of one floating IP's record lies. */
export function recordDirectory(stateDirectory: string, address: string): string {
  return join(stateDirectory, `sm_${address}`);
}

/** The database in it. */
export const databaseName = 'monitors.db';

export function databasePath(directory: string): string {
  return join(directory, databaseName);
}
