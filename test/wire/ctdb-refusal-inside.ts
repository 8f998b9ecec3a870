// Usage: node ctdb-refusal-inside.js refuse JSON MS | through | is | stands JSON | listen ADDRESS PORT | connect FROM PORT ADDRESS PORT; in a network namespace.
import { connect, createServer } from 'node:net';
import { isRefusing, letThrough, refuse, type Refused, stands } from '../../src/ctdb/refusal.js';
import { realHost } from '../../src/host/real.js';

const [command = '', ...words] = process.argv.slice(2);
const [first = '', second = '', third = '', fourth = ''] = words;

switch (command) {
  case 'refuse':
    await refuse(realHost, JSON.parse(first) as Refused, Number(second));
    break;
  case 'through':
    await letThrough(realHost);
    break;
  case 'is':
    process.stdout.write(String(await isRefusing(realHost)));
    break;
  case 'stands':
    process.stdout.write(String(await stands(realHost, JSON.parse(first) as Refused)));
    break;
  case 'listen':
    createServer((socket) => socket.on('error', () => undefined).end('here'))
      .listen(Number(second), first)
      .on('listening', () => process.stdout.write('listens\n'));
    break;
  default: {
    const socket = connect({
      ...(first === '' ? {} : { localAddress: first }),
      ...(second === '' ? {} : { localPort: Number(second) }),
      host: third,
      port: Number(fourth),
    });
    const end = (text: string) => process.stdout.write(text, () => process.exit());
    socket.on('data', (data) => end(data.toString()));
    socket.on('error', ({ message }) => end(message));
    setTimeout(() => end('nothing'), 2000);
  }
}
