import test from 'ava';
import { FailoverError } from '../../../src/errors.js';
import { openSourceSocket } from '../../../src/nsm/notify/source-socket.js';

test('an address of this host: the socket is bound to it', async (t) => {
  const { socket, address } = await openSourceSocket(4, '127.0.0.1');
  t.teardown(() => socket.close());
  t.is(address, '127.0.0.1');
  t.is(socket.address().address, '127.0.0.1');
});

test('an address that this host does not have: bound to none, so that the kernel chooses the source', async (t) => {
  const { socket, address } = await openSourceSocket(4, '192.0.2.1');
  t.teardown(() => socket.close());
  t.is(address, '0.0.0.0');
});

test('a socket that cannot be opened: NSM_SOCKET, what the kernel said and how to go on', async (t) => {
  // A link-local address without its interface: EINVAL, ipv6(7).
  const error = await t.throwsAsync(openSourceSocket(6, 'fe80::1'), { instanceOf: FailoverError });
  t.is(error.code, 'NSM_SOCKET');
  t.regex(error.message, /^cannot open a UDP socket on fe80::1: .*EINVAL/);
  t.regex(error.hint ?? '', /^Nobody was notified through it\. .*"nlm-failover notify ADDRESS"\.$/);
});
