import { statSync } from 'node:fs';

/** What names a namespace: the device and inode of its file in nsfs (namespaces(7)). Undefined where the file is not there. */
export function namespaceOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
