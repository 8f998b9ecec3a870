import type { Stage } from './stage.js';

const text = 'written while A had the address';

/** Plays a failover from the first lock to the last look. Returns whether the lock survived. */
export async function play(stage: Stage, print: (line: string) => void): Promise<boolean> {
  const { address } = stage;
  const tool = async (node: 'A' | 'B', args: readonly string[]) => {
    print(`\n${node}# nlm-failover ${args.join(' ')}`);
    for (const line of (await stage.tool(node, args)).trimEnd().split('\n')) print(line);
  };
  const rival = async () => {
    const got = await stage.rivalGetsLock();
    print(`rival$ flock -n ledger    ${got ? 'GOT THE LOCK' : 'refused'}`);
    return got;
  };

  print(stage.introduction);
  await tool('A', ['takeover', address]);
  await stage.endGrace('A');
  print(`\nholder$ mount ${address}:/mnt/vol1; flock ledger; echo "${text}" > ledger.txt`);
  await stage.lock(text);
  const stolenBefore = await rival();
  await tool('A', ['clients']);

  await tool('A', ['release', address]);
  await tool('B', ['takeover', address]);
  const reclaimed = await stage.reclaimed();
  const stolenAfter = await rival();
  const failed = await stage.failedReclaims();
  const data = await stage.read();

  print('\nB# grep lockd /proc/locks');
  for (const line of await stage.locksOn('B')) print(line);
  print(`holder$ cat ledger.txt    ${data}`);
  print(`client kernel log         ${failed.length === 0 ? 'no "failed to reclaim"' : failed.join('; ')}`);
  await tool('B', ['status']);
  const onA = await stage.locksOn('A');
  const survived =
    reclaimed && !stolenBefore && !stolenAfter && failed.length === 0 && onA.length === 0 && data === text;
  print(
    survived
      ? '\nThe lock survived the failover, and the rival never got it.'
      : '\nTHE LOCK DID NOT SURVIVE.',
  );
  return survived;
}
