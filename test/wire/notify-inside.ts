import { notify, type NotifyOptions } from '../../src/nsm/notify/notifier.js';

// Run inside a namespace: the options as JSON in, what happens line by line out, the result as JSON last.
// The end of its input interrupts it.
const options = JSON.parse(process.argv[2] ?? '') as NotifyOptions;
const interrupt = new AbortController();
process.stdin.on('end', () => {
  interrupt.abort();
});
process.stdin.resume();
process.stdout.write('started\n');
const result = await notify({
  ...options,
  signal: interrupt.signal,
  onNotified: (clients) => {
    process.stdout.write(clients.map((client) => `notified ${client}\n`).join(''));
  },
});
process.stdout.write(`result ${JSON.stringify(result)}\n`);
process.stdin.destroy();
