import { rpcbindLookup } from '../../src/rpc/rpcbind.js';
import { nsm } from '../../src/nsm/notify/sm-notify.js';
import { callStatd, type SmMon, type SmMonResult } from './sm-mon.js';

// Run inside a namespace: a list of calls as JSON in, the list of results as JSON out.
const requests = JSON.parse(process.argv[2] ?? '') as SmMon[];
const statd = { program: nsm.program, version: nsm.version, protocol: 'udp' } as const;
const port = await rpcbindLookup({ address: '127.0.0.1', ...statd, timeoutMs: 5000 });
const results: (SmMonResult | string)[] = [];
for (const request of requests) {
  try {
    results.push(await callStatd(port ?? 0, request));
  } catch (error) {
    results.push(String(error));
  }
}
process.stdout.write(`${JSON.stringify(results)}\n`);
