import { systemError } from '../../errors.js';
import { lockOperation } from '../../rundir/operation-lock.js';
import { freezeServing, runDirectory, servingJournal } from '../../rundir/serving.js';
import type { FailoverContext } from '../context.js';

/**
 * `nlm-failover release --freeze`: what somebody else is about to drop of an address, an export with its locks say, erases nobody from its
 * record. Whoever still comes is recorded, so that it may be done while the address is up. Nothing else is touched, and the record not opened.
 * False: nobody is recorded here. Throws FailoverError OPERATION_RUNNING, SYSTEM_ERROR.
 */
export function freeze({
  host,
  run,
  floatingIp: { address },
}: Pick<FailoverContext, 'host' | 'run' | 'floatingIp'>): boolean {
  const lock = lockOperation(runDirectory(host), address, 'release --freeze');
  try {
    const journal = servingJournal(run, address);
    if (journal === undefined) return false;
    freezeServing(run, address, journal);
    return true;
  } catch (error) {
    throw systemError(error, `release --freeze ${address}`);
  } finally {
    lock.release();
  }
}
