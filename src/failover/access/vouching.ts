import { FailoverError } from '../../errors.js';
import { notFenced, orByWord, type Prover, type Suspect } from '../../fencing/prover.js';
import { isTimeout, within } from '../../host/running/deadline.js';
import type { FailoverContext } from '../context.js';
import { limitOf } from '../limits.js';
import type { Proof } from './session.js';

type Vouching = Pick<FailoverContext, 'session' | 'voucher' | 'config' | 'floatingIp' | 'signal' | 'log'>;

/** Who can prove that a node is down; undefined: nobody, or nobody needs to, as the caller says so. */
export function proverOf({ voucher }: Pick<FailoverContext, 'voucher'>): Prover | undefined {
  return typeof voucher === 'object' ? voucher : undefined;
}

/**
 * takeover: this node becomes the owner. Where another node has the address and has not released it, that it is down is proved first, right
 * before: nothing has been touched yet but what the record lies on. Throws NOT_FENCED, NOT_RELEASED (exit code 4), NO_MACHINE_ID.
 */
export async function claimVouched(context: Vouching): Promise<number> {
  const { session, voucher } = context;
  return session.claim((await proofOf(context)) ?? voucher === 'caller');
}

async function proofOf(context: Vouching): Promise<Proof | undefined> {
  const { session, floatingIp, signal, log } = context;
  const prover = proverOf(context);
  const holder = session.suspect;
  if (prover === undefined || holder === undefined) return undefined;
  const { node, epoch, lastWrite } = holder;
  const suspect: Suspect = { address: floatingIp.address, node, epoch, lastWrite };
  log('info', { by: prover.name, node, epoch }, `asking whether ${node} is down`);
  const said = await inTime(context, suspect, () => prover.prove(suspect, signal));
  log('warn', { by: prover.name, node, epoch }, said);
  return { holder, said };
}

/** Whatever does not answer in time proves nothing. */
async function inTime<T>(
  { config, floatingIp }: Vouching,
  suspect: Pick<Suspect, 'address' | 'node' | 'epoch'>,
  work: () => Promise<T>,
): Promise<T> {
  const limit = {
    ...limitOf(`The proof that ${suspect.node} is down`, config),
    seconds: config.timeouts.fencing,
    key: '[timeouts].fencing',
  };
  try {
    return await within(limit, work);
  } catch (error) {
    if (!(error instanceof FailoverError) || !isTimeout(error)) throw error;
    throw notFenced(suspect, error.message, `${error.hint ?? ''} ${orByWord(floatingIp.address)}`);
  }
}

/** What a takeover asks or does before its claim, as --dry-run has it: only where another node has the address, and has not released it. */
export function asksOf(context: Pick<FailoverContext, 'voucher' | 'floatingIp'>): string[] {
  const prover = proverOf(context);
  if (prover === undefined) return [];
  const condition = `only where another node has not released ${context.floatingIp.address}; NODE is that node`;
  return prover.asks('NODE').map((line) => `${line}   # ${condition}`);
}
