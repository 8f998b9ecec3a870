import type { Log } from '../failover/context.js';
import type { CommonOptions } from './options.js';

/** pino to standard error, synchronously, so that nothing is lost when the process ends. */
export async function openLog(level: CommonOptions['logLevel']): Promise<Log> {
  const { pino, destination } = await import('pino');
  const logger = pino({ name: 'nlm-failover', level }, destination({ dest: 2, sync: true }));
  return (severity, fields, message) => logger[severity](fields, message);
}
