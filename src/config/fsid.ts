import { wholeNumber } from './driver-settings.js';
import { Wrong } from './problem.js';

/** The kernel keeps a numeric fsid in 32 bits (FSID_NUM); 0 is the root of NFSv4's pseudo file system. */
const FSID_MAX = 0xffff_ffffn;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** How one is asked for. */
export const fsidWanted = 'an integer from 1 to 4294967295, or a UUID in quotes';

/** `filesystem.fsid`: decimal digits or a lower-case UUID, or the reason why it cannot be one. */
export function readFsid(value: unknown): string | Wrong {
  if (typeof value === 'bigint') {
    if (value >= 1n && value <= FSID_MAX) return value.toString();
    if (value === 0n) return new Wrong('this means the root of NFSv4 (exports(5)); write 1 to 4294967295');
    return new Wrong('an fsid is a 32-bit number: write 1 to 4294967295');
  }
  if (typeof value === 'string' && UUID.test(value)) return value.toLowerCase();
  if (typeof value === 'string' && /^[0-9]+$/.test(value)) {
    return new Wrong(`a numeric fsid is written without quotes: ${value}`);
  }
  return new Wrong(
    'write an integer from 1 to 4294967295, or a UUID such as "6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10"',
  );
}

/** Whether an fsid is a number; else it is a UUID. */
export function isNumericFsid(fsid: string): boolean {
  return /^[0-9]+$/.test(fsid);
}

/**
 * Whether the value of an `fsid=` export option names this fsid. nfs-utils reads numbers with
 * strtoul(3) in base 0 and takes any punctuation in a UUID; a number with leading zeros would be octal
 * there, so it is never taken as the same.
 */
export function isSameFsid(option: string, fsid: string): boolean {
  if (isNumericFsid(fsid)) {
    return /^(?:0x[0-9a-f]+|[1-9][0-9]*)$/i.test(option) && BigInt(option).toString() === fsid;
  }
  return option.toLowerCase().replaceAll(/[-:.]/g, '') === fsid.replaceAll('-', '');
}

/** How an Export_Id is asked for: completes "write ...". */
export const exportIdWanted = 'an integer from 1 to 65535';

/** An Export_Id of NFS-Ganesha (ganesha-export-config(8)); 0 is its own, that of "/". A reason where it is none. */
export const readExportId = wholeNumber(exportIdWanted, 1n, 65_535n).read;
