import { ask, type Answer, type Bus, type Call, demand } from './bus.js';

/** An export as ShowExports has it. */
export interface GaneshaExport {
  readonly id: number;
  readonly path: string;
}

export const getGrace: Call = { object: 'admin', method: 'get_grace' };
export const showExports: Call = { object: 'ExportMgr', method: 'ShowExports' };

/**
 * B-2: a grace of the whole server, as at a takeover of the address (event 5, EVENT_TAKE_IP). Any argument is answered with true, so the
 * event is never left out. What clients hold through that address here would go (nfs4_recovery.c, nfs_start_grace): nobody does yet, or all
 * are notified anew.
 */
export function graceFor(address: string): Call {
  return { object: 'admin', method: 'grace', signature: 's', args: [`5:${address}`] };
}

/**
 * A grace of the whole server and nothing else (event 0, EVENT_JUST_GRACE); one that runs begins anew (nfs4_recovery.c, nfs_start_grace, sets
 * its time first). Not 5:ADDRESS, which takes what clients hold through that address, as 2:ADDRESS does.
 */
export const graceAlone: Call = { object: 'admin', method: 'grace', signature: 's', args: ['0:'] };

/**
 * A-3 of exports that stay: what clients hold through the address goes (event 2, EVENT_RELEASE_IP; nfs_release_nlm_state finds the clients by
 * the address, and takes all that each of them holds). Answered before it is done, and the whole server is in grace.
 */
export function releaseOf(address: string): Call {
  return { object: 'admin', method: 'grace', signature: 's', args: [`2:${address}`] };
}

/** B-5: the EXPORT block of that id in a file; Update where it is exported already. */
export function exportCall(method: 'AddExport' | 'UpdateExport', file: string, id: number): Call {
  return { object: 'ExportMgr', method, signature: 'ss', args: [file, `EXPORT(Export_Id=${id})`] };
}

/** an export goes, and its locks with it; no grace begins. */
export function removeExport(id: number): Call {
  return { object: 'ExportMgr', method: 'RemoveExport', signature: 'q', args: [String(id)] };
}

/** Whether the server is in grace (get_grace answers in-grace, status, message); a fault where it does not say. */
export async function askGrace(bus: Bus): Promise<boolean | Answer> {
  const answer = await ask(bus, getGrace);
  return 'data' in answer ? answer.data[0] === true : answer;
}

/** What it exports, without its own "/" (id 0). Throws FailoverError where it does not say. */
export async function exportsOf(bus: Bus): Promise<GaneshaExport[]> {
  return parseExports(await demand(bus, showExports));
}

/** The same; nothing where it does not say. */
export async function exportsIfAny(bus: Bus): Promise<GaneshaExport[]> {
  const answer = await ask(bus, showExports);
  return 'data' in answer ? parseExports(answer.data) : [];
}

/** The time, and an array of structures that begin with id and path, whatever else a version has in them. */
export function parseExports([, rows]: readonly unknown[]): GaneshaExport[] {
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown) => {
    const [id, path] = Array.isArray(row) ? (row as unknown[]) : [];
    return typeof id === 'number' && id !== 0 && typeof path === 'string' ? [{ id, path }] : [];
  });
}
