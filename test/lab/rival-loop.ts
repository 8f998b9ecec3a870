import type { NfsClient } from './client.js';

/** A client that tries to take a lock, again and again, until stopped. */
export interface RivalLoop {
  /** Stops it and tells how often it tried, and how often it got the lock. */
  stop(): Promise<{ readonly tries: number; readonly stolen: number }>;
}

/** Starts `flock -n` in a loop; the lock is given back at once when it was got. */
export async function startRivalLoop(client: NfsClient, file: string): Promise<RivalLoop> {
  const stopFile = `/run/rival-stop-${file.replaceAll('/', '-')}`;
  // `flock -n FILE -c` opens the file anew each time; a grace period makes one try wait, not fail.
  const script = `rm -f "$2"
    tries=0 stolen=0
    while [ ! -e "$2" ]; do
      tries=$((tries + 1))
      if flock -n -x "$1" -c true; then stolen=$((stolen + 1)); fi
    done
    echo "$tries $stolen"`;
  const job = await client.start(script, { args: [file, stopFile], timeoutSeconds: 3_600 });
  return {
    stop: async () => {
      await client.run(['touch', stopFile]);
      const [tries = Number.NaN, stolen = Number.NaN] = (await job.result()).stdout
        .trim()
        .split(' ')
        .map(Number);
      return { tries, stolen };
    },
  };
}
