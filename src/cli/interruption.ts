/**
 * Aborted at the first SIGINT or SIGTERM, so that the runner stops between two effects; a second one ends at once. SIGHUP, the terminal is
 * gone, has no effect: half of a failover serves nobody. It could not be told from nohup(1) either, as Node takes every signal's default
 * when it starts (src/node.cc, ResetSignalHandlers).
 */
export function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new Error(`interrupted by ${name}`)));
  }
  process.on('SIGHUP', () => undefined);
  return controller.signal;
}
