import test from 'ava';
import { FailoverError } from '../../../src/errors.js';
import { realHost } from '../../../src/host/real.js';
import { linksSchema } from '../../../src/host/reading/addresses.js';
import { ipJson } from '../../../src/host/reading/ip-json.js';

const read = (printed: string) => ipJson(realHost, ['printf', '%s', printed], linksSchema);

test('what ip prints: links, nothing at all, and what an older or newer version adds', async (t) => {
  t.deepEqual(await read(''), []);
  t.deepEqual(await read('[ ]\n'), []);
  t.deepEqual(await read('[{},{"ifname":"lo","mtu":65536,"addr_info":[{"local":"::1","prefixlen":128}]}]'), [
    {},
    { ifname: 'lo', addr_info: [{ local: '::1', prefixlen: 128 }] },
  ]);
});

for (const printed of [
  '[',
  'null',
  '{}',
  '"eth0"',
  '[{"ifname":1}]',
  '[{"addr_info":{}}]',
  '[{"addr_info":[7]}]',
]) {
  test(`what it should not print is named: ${printed}`, async (t) => {
    const error = await t.throwsAsync(read(printed), { instanceOf: FailoverError, code: 'COMMAND_FAILED' });
    t.regex(error.message, /^"printf %s .*" printed what cannot be read: /);
  });
}
