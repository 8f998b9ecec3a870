import { FailoverError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { systemdRuns } from '../../host/reading/boot.js';
import { unitOf } from './names.js';

/** The unit of an address, as systemd has it (systemctl(1), show). */
export interface UnitState {
  /** nlm-failover@10.10.1.1.service. */
  readonly unit: string;
  /** active, activating, inactive, failed... */
  readonly active: string;
  /** enabled, disabled... */
  readonly file: string;
}

/** Undefined where systemd does not run here, or says nothing of it. Throws FailoverError COMMAND_MISSING, COMMAND_TIMEOUT. */
export async function unitState(host: Host, address: string): Promise<UnitState | undefined> {
  if (!systemdRuns(host)) return undefined;
  const unit = unitOf(address);
  const { exitCode, stdout } = await host.run(
    ['systemctl', 'show', '--property=ActiveState,UnitFileState', unit],
    { short: true },
  );
  const said = (key: string) => new RegExp(`^${key}=(.+)$`, 'm').exec(stdout)?.[1];
  const active = said('ActiveState');
  if (exitCode !== 0 || active === undefined) return undefined;
  return { unit, active, file: said('UnitFileState') ?? 'not there' };
}

/** Whether the shutdown would release nothing, though the unit is meant to: systemd stops only what it has started. */
export function isLeftOut({ active, file }: UnitState): boolean {
  return file === 'enabled' && (active === 'inactive' || active === 'failed');
}

/** What is said of such a unit, and what to do; the address is served here. */
export function leftOut({ unit, active }: UnitState): { readonly message: string; readonly hint: string } {
  return {
    message: `${unit} is enabled, but ${active}: a reboot releases nothing, and loses the locks`,
    hint: `Start it; that changes nothing now: systemctl start ${unit}`,
  };
}

/** After an address came to be served here by hand: a remark where its unit does not know; none where systemd does not answer. */
export async function unitRemarks(host: Host, address: string): Promise<readonly string[]> {
  try {
    const state = await unitState(host, address);
    if (state === undefined || !isLeftOut(state)) return [];
    const { message, hint } = leftOut(state);
    return [`${message}. ${hint}`];
  } catch (error) {
    if (error instanceof FailoverError) return [];
    throw error;
  }
}
