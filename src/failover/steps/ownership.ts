import type { Config, FloatingIp } from '../../config/config.js';
import { recordVolume } from '../../config/floating-ip.js';
import { exitCodes } from '../../errors.js';
import { type Action, commandText, type Obstacle } from '../../host/action.js';
import type { Host } from '../../host/host.js';
import { machineOf } from '../../host/reading/machine-id.js';
import { largeJournalText } from '../../record/record.js';
import { databasePath, recordDirectory } from '../../record/safe-files/layout.js';
import { recordLocation, unreachable, whyUnreachable } from '../access/location.js';
import type { Proof } from '../access/session.js';
import { trialOf } from '../access/trials.js';
import { claimVouched } from '../access/vouching.js';
import type { FailoverContext } from '../context.js';

type FailoverAction = Action<FailoverContext>;

/**
 * takeover: this node becomes the owner, one epoch up, in one transaction of the record. `asks`: what is asked or done before, where another
 * node has not released the address, as --dry-run has it.
 */
export function claimOwnership(ip: FloatingIp, asks: readonly string[] = []): FailoverAction {
  const { address, stateDirectory } = ip;
  const volume = recordVolume(ip)?.mountpoint;
  return {
    commands: [
      ...asks,
      `# this node becomes the owner of ${address} in ${databasePath(recordDirectory(stateDirectory, address))}, one epoch up`,
      ...(volume === undefined
        ? []
        : [
            `umount ${volume}   # only where another node has not released ${address}: then nothing more is done`,
          ]),
    ],
    byHand: [
      `${sql(ip, 'SELECT owner, released FROM ownership')}   # 0: that node has not let go; unless it is dead for certain: umount, and no further`,
      sql(
        ip,
        "UPDATE ownership SET owner = '$(uname -n)', machine = NULL, since = NULL, released = 0, epoch = epoch + 1",
      ),
    ],
    look: ({ host, config, session }) => {
      const { onVolume } = recordLocation(host, ip);
      machineOf(host);
      // On a volume that is still to be mounted nobody can know.
      if (onVolume !== undefined) return [];
      if (whyUnreachable(host, ip) !== undefined) throw unreachable(host, ip);
      const isFirst = session.open({ create: false })?.ownership().owner === undefined;
      return isFirst ? unfitStorage(host, config, ip) : [];
    },
    check: ({ session }) => {
      if (!session.holds(session.open({ create: false })?.ownership())) return false;
      session.claim(false); // keeps the epoch, and learns it
      return session.holds(session.previous);
    },
    act: async (context) => {
      const { session } = context;
      session.open({ create: true });
      const epoch = await claimVouched(context);
      const { owner, released } = session.previous ?? { owner: undefined, released: true };
      const claimed =
        owner === undefined
          ? `new record in ${session.location.directory}, epoch ${epoch}`
          : `epoch ${epoch}, after ${owner}${released ? '' : notReleasedText(session.proof)}`;
      return [claimed, ...session.opened.largeJournals().map(largeJournalText)].join('; ');
    },
    verify: ({ session }) => session.assertStillOwner(),
    undo: async ({ session }) => session.giveBack(),
  };
}

/**
 * No record is begun where it would lose clients without an error. What nodes write at once is the rule where every node exports a file system,
 * so there it must have been tried; else what is known of it counts.
 */
function unfitStorage(host: Host, config: Config, ip: FloatingIp): Obstacle[] {
  const trial = trialOf(host, config, ip);
  if (trial === undefined || (trial.state === 'untried' && ip.shared === undefined)) return [];
  const { state, message, hint } = trial;
  const code = state === 'lost' ? 'STORAGE_UNFIT' : 'STORAGE_UNTRIED';
  return [{ message, hint, code, exitCode: exitCodes.configuration }];
}

function notReleasedText(proof: Proof | undefined): string {
  return `, which had not released it${proof === undefined ? '' : `: ${proof.said}`}`;
}

/** A statement for sqlite3(1), in quotes in which a shell expands. */
function sql({ address, stateDirectory }: FloatingIp, statement: string): string {
  return `${commandText(['sqlite3', databasePath(recordDirectory(stateDirectory, address))])} "${statement}"`;
}

/** release: from here on another node may take the address over without --fenced. */
export function handOver(ip: FloatingIp): FailoverAction {
  const { address, stateDirectory } = ip;
  return {
    commands: [`# ${databasePath(recordDirectory(stateDirectory, address))}: released; the record is closed`],
    byHand: [sql(ip, 'UPDATE ownership SET released = 1')],
    check: ({ session }) => {
      if (session.record === undefined) return true;
      return session.location.onVolume === undefined && session.record.ownership().released;
    },
    act: async ({ session, config }) => {
      const record = session.opened;
      const ownership = record.ownership();
      record.fold();
      if (session.owns(ownership)) record.setReleased(config.node, ownership.epoch, true);
      session.handedOver();
      return undefined;
    },
    verify: () => undefined,
  };
}
