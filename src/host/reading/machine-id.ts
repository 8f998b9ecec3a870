import { createHmac } from 'node:crypto';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Host } from '../host.js';

const file = '/etc/machine-id';
/** machine-id(5): 32 lower-case hexadecimal digits and a newline; all zeros is not allowed. */
const wellFormed = /^(?!0{32})[0-9a-f]{32}\n?$/u;

/**
 * What tells this machine from every other one, whatever their names: 32 hexadecimal digits made of /etc/machine-id. Hashed,
 * because that id is not to leave the machine (machine-id(5); sd_id128_get_machine_app_specific(3) does the same), and the
 * record lies where other nodes read it.
 *
 * Throws NO_MACHINE_ID (exit code 3) where the file is missing, empty, says "uninitialized" (an image that has not finished its
 * first boot), or is no id.
 */
export function machineOf(host: Host): string {
  const machine = machineIfKnown(host);
  if (machine !== undefined) return machine;
  throw new FailoverError(
    `${file} ${whyNot(host.readText(file))}, so this machine cannot be distinguished from others`,
    {
      code: 'NO_MACHINE_ID',
      exitCode: exitCodes.configuration,
      operation: `reading ${file}`,
      hint: 'Run "systemd-machine-id-setup"; without systemd, "dbus-uuidgen --ensure=/etc/machine-id". A node that owned an address needs the id that it had then.',
    },
  );
}

/** The same; undefined where there is none. For commands that only read. */
export function machineIfKnown(host: Host): string | undefined {
  const id = host.readText(file);
  if (id === undefined || !wellFormed.test(id)) return undefined;
  return createHmac('sha256', id.trimEnd()).update('nlm-failover').digest('hex').slice(0, 32);
}

function whyNot(text: string | undefined): string {
  if (text === undefined) return 'is missing';
  if (text.trim() === '') return 'is empty';
  if (text.trim() === 'uninitialized') return 'says "uninitialized"';
  return 'is not an id (32 hexadecimal digits)';
}
