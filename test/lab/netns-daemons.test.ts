// lockd-netns: a daemon of an instance dies; status and its exit code say so, and takeover mends nothing behind one's back.
import { lockThrough, moving, prepareServers, scenario, startAddress } from './scenario.js';
import { nlmFailover, tool } from './site.js';

interface Status {
  readonly instance: { readonly daemons: Readonly<Record<string, string>>; readonly nfsdThreads: number };
}

scenario('lockd-netns: status names a dead daemon, and ends with 1', async (t, lab) => {
  const { a } = lab;
  await prepareServers(lab, [moving], 'lockd-netns');
  await startAddress(a, moving);
  await lockThrough(lab, moving);
  const status = async () => {
    const result = await nlmFailover(a, ['status'], false);
    return { exitCode: result.exitCode, ...(result.lines[0] as unknown as Status).instance };
  };
  const exec = (...command: string[]) =>
    a.run([tool, 'exec', moving.address, '--', ...command], { reject: false });

  t.is((await status()).exitCode, 0);
  t.regex((await exec('exportfs', '-v')).stdout, /\/mnt\/vol1/);
  t.is((await exec('sh', '-c', 'exit 7')).exitCode, 7);
  t.regex((await exec('ip', '-br', 'address')).stdout, /nfs0@\S+ +UP +10\.10\.1\.1\/24/);
  for (const daemon of ['rpc.mountd', 'rpc.statd', 'rpcbind']) {
    await a.run(
      'for pid in $(ip netns pids "nfs-$1"); do [ "$(cat /proc/$pid/comm)" = "$2" ] && kill -9 $pid; done; :',
      {
        args: [moving.address, daemon],
      },
    );
    const seen = await status();
    t.is(seen.exitCode, 1);
    t.is(seen.daemons[daemon], 'dead');
  }
  await exec('rpc.nfsd', '0');
  t.is((await status()).nfsdThreads, 0);
});
