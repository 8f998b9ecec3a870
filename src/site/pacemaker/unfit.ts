import { exitCodes, FailoverError } from '../../errors.js';

/** What is asked for cannot work in a cluster, or not in this one: nothing was touched. */
export function unfit(message: string, hint: string): FailoverError {
  return new FailoverError(message, {
    code: 'CLUSTER_UNFIT',
    exitCode: exitCodes.configuration,
    operation: 'writing the configuration of Pacemaker',
    hint,
  });
}
