import { accept, Farm } from '../nsm/notify/farm.js';

// Run inside a namespace: so many clients on the loopback, with rpcbind on its real port. Writes their
// addresses, and a line when each of them has been notified; ends with its input.
const count = Number(process.argv[2]);
const farm = new Farm(111);
const notified = new Set<string>();
const addresses = await farm.crowd(count, () => ({
  statd: (incoming) => {
    notified.add(incoming.client.address);
    if (notified.size === count) process.stdout.write('all\n');
    return accept(incoming);
  },
}));
process.stdout.write(`ready ${addresses.join(' ')}\n`);
process.stdin.on('end', () => {
  process.stdout.write(`notified ${notified.size}\n`);
  process.exit();
});
process.stdin.resume();
