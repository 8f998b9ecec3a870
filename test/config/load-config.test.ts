import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ErrorCode } from '../../src/error-codes.js';
import { FailoverError } from '../../src/errors.js';
import { loadConfig } from '../../src/config/load-config.js';
import { drivers } from '../../src/lockmanager/drivers.js';
import { sample } from './sample.js';

const directory = mkdtempSync(join(tmpdir(), 'nlm-failover-config-'));
test.after.always(() => rmSync(directory, { recursive: true }));

function written(name: string, content: string | Uint8Array): string {
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
}

test('--config before NLM_FAILOVER_CONFIG before /etc', async (t) => {
  const first = written('first.toml', sample);
  const second = written('second.toml', sample);
  t.is((await loadConfig({ drivers, file: first, env: { NLM_FAILOVER_CONFIG: second } })).file, first);
  t.is((await loadConfig({ drivers, env: { NLM_FAILOVER_CONFIG: second } })).file, second);
});

test('a byte order mark is no part of the text', async (t) => {
  t.is((await loadConfig({ drivers, file: written('bom.toml', `\ufeff${sample}`) })).node, 'A');
});

const missing = join(directory, 'none.toml');
const rows: readonly (readonly [title: string, file: string, code: ErrorCode, message: string])[] = [
  ['no file', missing, 'CONFIG_NOT_FOUND', `${missing}: there is no such configuration file`],
  [
    'a directory',
    directory,
    'CONFIG_UNREADABLE',
    `${directory}: it cannot be read: EISDIR: illegal operation on a directory, read`,
  ],
  [
    'not text',
    written('latin1.toml', Uint8Array.of(0x23, 0xe4)),
    'CONFIG_INVALID',
    `${join(directory, 'latin1.toml')}: this is not UTF-8 text`,
  ],
];

for (const [title, file, code, message] of rows) {
  test(title, async (t) => {
    const error = await t.throwsAsync(() => loadConfig({ drivers, file, env: {} }), {
      instanceOf: FailoverError,
      message,
    });
    t.is(error.code, code);
    t.is(error.exitCode, 3);
    t.truthy(error.hint);
  });
}

test('a file that this user may not read', async (t) => {
  const file = written('secret.toml', sample);
  chmodSync(file, 0);
  const error = await t.throwsAsync(() => asNobody(() => loadConfig({ drivers, file })), {
    instanceOf: FailoverError,
  });
  t.is(error.message, `${file}: this user may not read it`);
  t.is(error.code, 'CONFIG_UNREADABLE');
});

/** Starts `action` without root's right to read everything; loadConfig opens the file before it first waits. */
function asNobody<T>(action: () => T): T {
  if (process.geteuid?.() !== 0) return action();
  process.seteuid?.(65534);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
  }
}
