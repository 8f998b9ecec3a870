/**
 * What a monitor at depth 0 of the OCF agents costs beside that of the stock agent ocf:heartbeat:Dummy, which looks whether a file is there:
 * time and CPU (user and system, its children's too), interleaved in one run; prints a table. Needs root, bash, and resource-agents:
 *
 *     npm run bench:monitor [RUNS]      default: 101
 *
 * The addresses are served in namespaces of their own, by real daemons: one from an instance, one from the node.
 */
import { writeFileSync } from 'node:fs';
import { agentFile } from '../helpers/ocf-agent.js';
import { ServedInstance } from '../helpers/ocf-instance.js';
import { withNetns } from '../helpers/netns.js';
import { startRpcbind, startStatd } from '../wire/statd.js';
import { timer } from './bash-timer.js';

const [runs = '101'] = process.argv.slice(2);
const [instanceAddress, nodeAddress] = ['10.88.5.1', '10.88.6.1'];
const dummy = '/usr/lib/ocf/resource.d/heartbeat/Dummy';

interface Row {
  readonly label: string;
  readonly argv: readonly string[];
}

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;
}

const ends: (() => Promise<void>)[] = [];
try {
  const netns = await withNetns({ teardown: (end) => void ends.push(end) });
  await ServedInstance.make(netns, instanceAddress);
  await startRpcbind(netns);
  await startStatd(netns);
  await netns.run('ip', 'address', 'add', `${nodeAddress}/24`, 'dev', 'lo');
  await netns.run(
    'sh',
    '-ec',
    'mkdir -p /run/nlm-failover/serving; ln -s /run/journal "/run/nlm-failover/serving/$1"',
    'sh',
    nodeAddress,
  );
  writeFileSync(netns.path('/run/dummy.state'), '');
  const row = (label: string, file: string, env: Record<string, string>): Row => ({
    label,
    argv: [
      'env',
      'OCF_ROOT=/usr/lib/ocf',
      'OCF_RESOURCE_INSTANCE=one',
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      file,
      'monitor',
    ],
  });
  const ours = (label: string, name: 'address' | 'locks' | 'notify', address: string) =>
    row(label, agentFile(name), { OCF_RESKEY_address: address, OCF_RESKEY_config: '/no/such/file' });
  const rows: Row[] = [
    row('heartbeat:Dummy', dummy, { OCF_RESKEY_state: '/run/dummy.state' }),
    ours('address, in an instance', 'address', instanceAddress),
    ours('address, on the node', 'address', nodeAddress),
    ours('locks', 'locks', nodeAddress),
    ours('notify', 'notify', nodeAddress),
    ours('address, not here', 'address', '10.88.7.1'),
  ];
  for (const { label, argv } of rows.slice(0, -1)) {
    const [command = '', ...args] = argv;
    const tried = netns.start(command, args);
    if ((await tried.exited) !== 0) throw new Error(`${label}: ${tried.output()}`);
  }
  const words = rows.flatMap(({ argv }, index) => [...(index === 0 ? [] : ['--']), ...argv]);
  const output = netns.start('bash', ['-c', timer, 'bash', runs, ...words]);
  await output.exited;
  const samples = rows.map(() => ({ cpu: [] as number[], elapsed: [] as number[] }));
  for (const line of output.output().split('\n')) {
    if (!/^\d+ [\d.]+ [\d.]+ [\d.]+$/.test(line)) continue;
    const [index = 0, user = 0, system = 0, elapsed = 0] = line.split(' ').map(Number);
    samples[index]?.cpu.push((user + system) * 1000);
    samples[index]?.elapsed.push(elapsed * 1000);
  }
  const results = samples.map(({ cpu, elapsed }) => ({ cpu: median(cpu), elapsed: median(elapsed) }));
  const base = results[0] ?? { cpu: Number.NaN, elapsed: Number.NaN };
  console.log(`${runs} interleaved runs each, medians`);
  for (const [index, { label }] of rows.entries()) {
    const { cpu = Number.NaN, elapsed = Number.NaN } = results[index] ?? {};
    const time = `${elapsed.toFixed(1).padStart(6)} ms ${(elapsed / base.elapsed).toFixed(2).padStart(5)} x`;
    console.log(
      `${label.padEnd(26)} ${time}   CPU ${cpu.toFixed(1).padStart(5)} ms ${(cpu / base.cpu).toFixed(2).padStart(5)} x`,
    );
  }
} finally {
  for (const end of ends.toReversed()) await end();
}
