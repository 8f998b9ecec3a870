// Run in a guest: monitor-loop ROUND [DIRECTORY]. Calls its rpc.statd as lockd does, with the events of a round one after
// another, and writes "note COUNT" to the serial line, which the machine reads at once, after each reply, until it is
// killed. With DIRECTORY, a record, it folds the journals into it every few events, as `nlm-failover clients` does.
import { openSync, writeSync } from 'node:fs';
import { rpcbindLookup } from '../../src/rpc/rpcbind.js';
import { nsm } from '../../src/nsm/notify/sm-notify.js';
import { openRecord } from '../../src/record/record.js';
import { callStatd } from '../wire/sm-mon.js';
import { monitorEvent } from './monitor-sequence.js';

const round = Number(process.argv[2]);
const directory = process.argv[3];
const record = directory === undefined ? undefined : openRecord({ directory, node: 'X', create: false });
const statd = { program: nsm.program, version: nsm.version, protocol: 'udp' } as const;
const port = (await rpcbindLookup({ address: '127.0.0.1', ...statd, timeoutMs: 10_000 })) ?? 0;
const serial = openSync('/dev/ttyS0', 'w');
for (let index = 0; ; index += 1) {
  const { procedure, client } = monitorEvent(round, index);
  const { failed } = await callStatd(port, { procedure, monName: client, myName: 'lab' });
  if (failed === true) throw new Error(`statd refuses ${client}`);
  writeSync(serial, `note ${index + 1}\n`);
  if (index % 7 === 6) record?.fold();
}
