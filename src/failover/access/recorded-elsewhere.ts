import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { journalPath } from '../../record/journal/journal-file.js';
import { isRecording, isSameFile, servingJournal, servingLink } from '../../rundir/serving.js';
import type { FailoverContext } from '../context.js';
import { recordLocation } from './location.js';

/** The record of one address on one node, and where its callouts find their links. */
interface Place {
  readonly host: Host;
  readonly run: string;
  readonly config: { readonly node: string };
}

/**
 * The journal that the callouts write to, where it is not this node's in the record that the configuration names: state_directory, or
 * the node's name, was changed while the address was served here, also to where no record can be reached. Undefined: it is, or none is written.
 */
export function recordedElsewhere({ host, run, config }: Place, ip: FloatingIp): string | undefined {
  if (!isRecording(run, ip.address)) return undefined;
  const journal = servingJournal(run, ip.address);
  const own = journalPath(recordLocation(host, ip).directory, config.node);
  return journal === undefined || isSameFile(journal, own) ? undefined : journal;
}

/** Throws RECORDED_ELSEWHERE (exit code 1): to go on would lose the clients that only that journal has. */
export function expectRecordedHere(context: FailoverContext, operation: string): void {
  const { floatingIp, run } = context;
  const { address, stateDirectory } = floatingIp;
  const journal = recordedElsewhere(context, floatingIp);
  if (journal === undefined) return;
  throw new FailoverError(
    `The clients of ${address} are recorded in ${journal}, which is no journal of this node in ${stateDirectory}`,
    {
      code: 'RECORDED_ELSEWHERE',
      exitCode: exitCodes.stepFailed,
      operation: `${operation} ${address}`,
      hint: `Give the configuration back its former state_directory and node, and run "nlm-failover release ${address}". Then change them, and run "nlm-failover move-record". Only where nothing in that journal is needed, remove ${servingLink(run, address)}.`,
    },
  );
}
