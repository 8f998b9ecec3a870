import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { rememberedExports } from '../../src/rundir/exported.js';

test('what exportfs made of an export is remembered until it is forgotten, however long its words are', (t) => {
  const run = mkdtempSync(path.join(tmpdir(), 'exported-'));
  t.teardown(() => rmSync(run, { recursive: true, force: true }));
  const memory = rememberedExports(run);
  // Each begins with the one before.
  const all = [0, 1, 100, 149, 150, 151, 300, 900].map((length) => ({
    path: `/${'ü'.repeat(length)}`,
    clients: '*',
    options: 'rw',
  }));
  for (const [index, one] of all.entries()) {
    t.is(memory.get(one), undefined);
    const entry = { path: one.path, clients: `made-of-${index}`, options: ['rw', 'sync'] };
    memory.set(one, { asked: 'rw', entry });
  }
  for (const [index, one] of all.entries()) t.is(memory.get(one)?.entry.clients, `made-of-${index}`);
  for (const one of all) {
    memory.forget(one);
    t.is(memory.get(one), undefined);
  }
});
