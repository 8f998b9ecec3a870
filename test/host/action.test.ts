import test from 'ava';
import { notSo, runOrFail } from '../../src/host/action.js';
import { realHost } from '../../src/host/real.js';

test('a command that fails: what it said, and how to go on', async (t) => {
  const error = await t.throwsAsync(runOrFail(realHost, ['sh', '-c', 'echo no such device >&2; exit 3']), {
    code: 'COMMAND_FAILED',
  });
  t.regex(error.message, /^"sh -c .*" exited with 3: no such device$/);
  const setIn = 'printf "mount: no such place.\\n       dmesg(1)\\thas more.\\n\\n" >&2; exit 32';
  t.like(await t.throwsAsync(runOrFail(realHost, ['sh', '-c', setIn])), {
    message: `"sh -c '${setIn}'" exited with 32: mount: no such place.; dmesg(1) has more.`,
  });
  t.like(error, { hint: notSo('A-2', 'still exported').hint });
  t.like(await t.throwsAsync(runOrFail(realHost, ['false'], 'See there.')), {
    message: '"false" exited with 1: it said nothing',
    hint: 'See there.',
  });
  t.regex(notSo('A-2', 'still exported').hint ?? '', /run the same nlm-failover command again/);
});
