import { writeSync } from 'node:fs';

/** Writes latin1 text to the end, in one write(2) unless the kernel takes less. */
export function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}
