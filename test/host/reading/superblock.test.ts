import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { realHost } from '../../../src/host/real.js';
import { superblockState } from '../../../src/host/reading/superblock.js';

const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-superblock-'));
test.after.always(() => rmSync(directory, { recursive: true }));

function image(type: string): string {
  const file = path.join(directory, type);
  writeFileSync(file, '');
  truncateSync(file, 8 * 1024 * 1024);
  execFileSync(`/sbin/mkfs.${type}`, ['-q', '-F', file]);
  return file;
}

for (const [type, offset, clean, dirty] of [
  ['ext4', 1024 + 0x60, 0xc2, 0xc6], // INCOMPAT_RECOVER
  ['ext2', 1024 + 0x3a, 0x01, 0x00], // VALID_FS
] as const) {
  test(`${type}: clean as made, dirty as a mounted one has it`, async (t) => {
    const file = image(type);
    t.is(await superblockState(realHost, file), 'clean');
    const poke = (byte: number) => {
      const descriptor = openSync(file, 'r+');
      writeSync(descriptor, Uint8Array.of(byte), 0, 1, offset);
      closeSync(descriptor);
    };
    poke(dirty);
    t.is(await superblockState(realHost, file), 'dirty');
    poke(clean);
    t.is(await superblockState(realHost, file), 'clean');
  });
}

test('what is no ext file system, or cannot be read, is unknown', async (t) => {
  const file = path.join(directory, 'zeros');
  writeFileSync(file, Buffer.alloc(4096));
  t.is(await superblockState(realHost, file), 'unknown');
  t.is(await superblockState(realHost, path.join(directory, 'absent')), 'unknown');
});
