import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import type { Netns, Program } from '../helpers/netns.js';
import { waitFor } from './wait-for.js';

/** What the callout of a client that is only watched does: it writes its arguments down, one call a line. */
const witness = `#!/bin/sh
printf '%s\\n' "$*" >>/run/witness/events
`;

/** Starts rpcbind and waits until it answers. */
export async function startRpcbind(netns: Netns): Promise<Program> {
  const program = netns.start('rpcbind', ['-f', '-w']);
  await waitFor('rpcbind', () => answers(netns, 'udp', '127.0.0.1', 'portmapper'));
  await waitFor('rpcbind on IPv6', () => answers(netns, 'udp6', '::1', 'portmapper'));
  return program;
}

/** Starts the real rpc.statd with a callout (default: the witness), and waits until it answers. */
export async function startStatd(
  netns: Netns,
  callout?: string,
  env: Record<string, string> = {},
): Promise<Program> {
  if (callout === undefined) await installWitness(netns);
  const program = netns.start(
    'rpc.statd',
    ['-F', '-d', '--no-notify', '-H', callout ?? '/run/witness/callout'],
    env,
  );
  await waitFor('rpc.statd', () => answers(netns, 'udp', '127.0.0.1', 'status'));
  await waitFor('rpc.statd on IPv6', () => answers(netns, 'udp6', '::1', 'status'));
  return program;
}

/** The calls that the witness has seen: "sm-notify 10.0.0.1 10.0.0.1 7". */
export async function witnessed(netns: Netns): Promise<string[]> {
  const text = await readFile(netns.path('/run/witness/events'), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}

async function installWitness(netns: Netns): Promise<void> {
  const directory = netns.path('/run/witness');
  await mkdir(directory, { recursive: true });
  await writeFile(`${directory}/callout`, witness);
  await chmod(`${directory}/callout`, 0o755);
  const { uid } = await stat(netns.path('/var/lib/nfs/sm'));
  await chown(directory, uid, 0);
}

async function answers(netns: Netns, netid: string, address: string, service: string): Promise<boolean> {
  return (await netns.start('rpcinfo', ['-T', netid, address, service]).exited) === 0;
}
