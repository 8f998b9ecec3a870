import type { Log } from '../failover/context.js';
import { processIo } from './io.js';
import type { CommonOptions } from './options.js';

/** pino to standard error, synchronously, so that nothing is lost when the process ends. */
export async function openLog(level: CommonOptions['logLevel']): Promise<Log> {
  const { pino } = await import('pino');
  // Node writes to standard error before it returns, whatever that is on Linux (process I/O).
  const logger = pino({ name: 'nlm-failover', level }, { write: (line: string) => processIo.err(line) });
  return (severity, fields, message) => logger[severity](fields, message);
}
