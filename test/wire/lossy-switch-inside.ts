// The switch itself; see lossy-switch.ts. Its ports are the descriptors from 3 on, one frame a read(2) and a write(2)
// (Documentation/networking/tuntap.rst). Says "switching"; for the line "traffic" says "traffic N {...}"; any other line of input
// is new weather, as JSON. Ends with its namespace.
import { read, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { seededRandom } from '../helpers/seeded-random.js';
import type { Traffic, Weather } from './lossy-switch.js';

const ports = Number(process.argv[2]);
let weather = JSON.parse(process.argv[3] ?? '') as Weather;
const random = seededRandom(weather.seed);
const count = { frames: 0, lost: 0, duplicated: 0, overtaken: 0 } satisfies Traffic;
/** Link-layer address to port, learned from what comes in. */
const portOf = new Map<string, number>();
/** By flow, how many were lost one after the other. */
const lostInARow = new Map<string, number>();
/** By port, the number of the latest frame that left it. */
const latest: number[] = [];
const broadcast = 'ffffffffffff';

function receive(port: number): void {
  const buffer = Buffer.alloc(2048);
  read(3 + port, buffer, 0, buffer.length, null, (error, length) => {
    // EIO, EBADFD: the interface is down or on its way to another namespace.
    if (error === null) forward(port, buffer.subarray(0, length));
    if (error === null) receive(port);
    else setTimeout(receive, 10, port);
  });
}

function forward(from: number, frame: Buffer): void {
  const to = frame.toString('hex', 0, 6);
  portOf.set(frame.toString('hex', 6, 12), from);
  const known = portOf.get(to);
  for (let port = 0; port < ports; port += 1) {
    if (port === from || (known !== undefined && port !== known && to !== broadcast)) continue;
    count.frames += 1;
    if (isLost(`${flowOf(frame)} ${port}`)) continue;
    send(port, frame, count.frames);
    if (random() >= weather.duplicate) continue;
    count.duplicated += 1;
    send(port, frame, count.frames);
  }
}

function isLost(flow: string): boolean {
  const before = lostInARow.get(flow) ?? 0;
  const lost = before < weather.lostInARow && random() < weather.loss;
  lostInARow.set(flow, lost ? before + 1 : 0);
  if (lost) count.lost += 1;
  return lost;
}

/** Who to whom: ARP's protocol addresses (RFC 826), or IPv4's. */
function flowOf(frame: Buffer): string {
  const isArp = frame.readUInt16BE(12) === 0x0806;
  return isArp ? frame.toString('hex', 28, 42) : frame.toString('hex', 26, 34);
}

function send(port: number, frame: Buffer, number: number): void {
  const { delayMs, jitterMs, reorder } = weather;
  const ms = random() < reorder ? 0 : delayMs + random() * jitterMs;
  setTimeout(() => {
    if (number < (latest[port] ?? 0)) count.overtaken += 1;
    latest[port] = Math.max(latest[port] ?? 0, number);
    try {
      writeSync(3 + port, frame);
    } catch {
      // The interface is down: as if the cable were out.
    }
  }, ms);
}

for (let port = 0; port < ports; port += 1) receive(port);
process.stdout.write('switching\n');
let asked = 0;
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line !== 'traffic') {
    weather = JSON.parse(line) as Weather;
    return;
  }
  asked += 1;
  process.stdout.write(`traffic ${asked} ${JSON.stringify(count)}\n`);
});
