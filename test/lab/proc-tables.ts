/** A mounted file system, from /proc/mounts. */
export interface Mount {
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
}

/** A lock that lockd holds for some client, from /proc/locks. */
export interface NfsLock {
  /** `MAJOR:MINOR:INODE` as /proc/locks spells it: hexadecimal, hexadecimal, decimal. */
  readonly file: string;
  readonly line: string;
}

/** proc(5) writes blanks and backslashes as three octal digits. */
function unescapeOctal(word: string): string {
  return word.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCodePoint(Number.parseInt(octal, 8)),
  );
}

/** `MAJOR:MINOR`, with or without leading zeros and an inode, as two numbers. */
function deviceNumbers(text: string): string {
  const parts = text.split(':').slice(0, 2);
  return parts.map((part) => Number.parseInt(part, 16)).join(':');
}

/**
 * `MAJOR:MINOR` in hexadecimal of the file system that a device has, where it is mounted: as /proc/locks has it, which for btrfs is
 * not the device's own number.
 */
export function numbersOfMounted(mountinfo: string, device: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const [, , numbers = ''] = left.split(' ');
    if (right.split(' ')[1] === device)
      return numbers
        .split(':')
        .map((part) => Number(part).toString(16))
        .join(':');
  }
  return undefined;
}

export function parseMounts(text: string): Mount[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [device = '', mountpoint = '', type = ''] = line.split(' ').map(unescapeOctal);
      return { device, mountpoint, type };
    });
}

/**
 * The granted locks of lockd: those carry its pid, while a request that waits has `->` for a kind; and those of NFS-Ganesha, of an open
 * file description.
 * @param lockd pid of the lockd thread, empty when there is none
 * @param device `MAJOR:MINOR` in hexadecimal, or undefined for all
 */
export function parseNfsLocks(text: string, lockd: string, device: string | undefined): NfsLock[] {
  return text.split('\n').flatMap((line) => {
    const [, kind, , , pid, file = ''] = line.trim().split(/\s+/);
    if (!(kind === 'OFDLCK' || (kind === 'POSIX' && pid === lockd))) return [];
    return device === undefined || deviceNumbers(device) === deviceNumbers(file) ? [{ file, line }] : [];
  });
}
