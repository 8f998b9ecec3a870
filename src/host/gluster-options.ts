import { FailoverError } from '../errors.js';
import type { Host } from './host.js';

/**
 * What `gluster volume get VOLUME OPTION` says of options that are whole seconds: a line with the name and the value, set or by default, below
 * a heading (glusterfs 10, cli/src/cli-rpc-ops.c, gf_cli_get_vol_opt_cbk). What it does not say is not among them. `silent`: why it cannot be asked, as a clause.
 */
export async function glusterSeconds(
  host: Host,
  volume: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, number> | { readonly silent: string }> {
  const found = new Map<string, number>();
  for (const name of names) {
    const argv = ['gluster', '--mode=script', 'volume', 'get', volume, name] as const;
    try {
      const { exitCode, stdout, stderr } = await host.run(argv, { short: true });
      if (exitCode !== 0) return { silent: (stderr || stdout).trim().split('\n')[0] ?? '' };
      const seconds = secondsOf(stdout, name);
      if (seconds !== undefined) found.set(name, seconds);
    } catch (error) {
      if (!(error instanceof FailoverError)) throw error;
      return { silent: error.message };
    }
  }
  return found;
}

/** Later versions write " (DEFAULT)" behind a value that was not set. */
function secondsOf(text: string, name: string): number | undefined {
  for (const line of text.split('\n')) {
    const [key, value = ''] = line.trim().split(/\s+/);
    if (key === name && /^\d+$/.test(value)) return Number(value);
  }
  return undefined;
}
