import test from 'ava';
import { serviceIn } from '../../../src/host/reading/boot.js';

for (const [text, service] of [
  ['0::/system.slice/rpc-statd.service\n', 'rpc-statd.service'],
  ['0::/system.slice/nfs-ganesha-lock.service\n', 'nfs-ganesha-lock.service'],
  ['0::/system.slice/system-x.slice/a@10.10.1.1.service/init.scope\n', 'a@10.10.1.1.service'],
  [
    '12:pids:/system.slice/other.service\n1:name=systemd:/system.slice/rpc-statd.service\n0::/\n',
    'rpc-statd.service',
  ],
  ['0::/user.slice/user-0.slice/session-1.scope\n', undefined],
  ['0::/\n', undefined],
  ['', undefined],
] as const)
  test(`the service of a process: ${JSON.stringify(text)}`, (t) => {
    t.is(serviceIn(text), service);
  });
