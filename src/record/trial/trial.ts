import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type Database from 'better-sqlite3';
import { exitCodes, FailoverError, messageOf } from '../../errors.js';
import type { MountedAs } from './mounted-as.js';
import { version } from '../../version.js';
import { guarded, recordError } from '../record-error.js';
import { unlessThere, unsafe } from '../safe-files/files.js';
import { type HeldDirectory, holdDirectory } from '../safe-files/held-directory.js';
import { type Heard, type Here, type Message, type Side, Talk } from './talk.js';
import { keepVerdict, readVerdict, type Verdict } from './verdict.js';
import {
  makeLines,
  makeTrial,
  missingOf,
  openTrial,
  type Place,
  removeTrial,
  write,
  whyOf,
  type Wrote,
} from './writing.js';

export type { Side } from './talk.js';
export { holdsFor, type Verdict } from './verdict.js';

/** In the state directory, beside the records. */
const trialName = 'storage-trial';
const lookMs = 100;
/** What the other node may take for each of its parts; the longest has a limit of its own, of 240 s. */
const patienceSeconds = 360;

export interface Trial {
  /** The state directory, as this host has it; and as its configuration names it. */
  readonly directory: string;
  readonly named: string;
  readonly side: Side;
  readonly mount: MountedAs | undefined;
  /** How long to wait for another node to come. */
  readonly waitSeconds: number;
  readonly busyMs: number;
  now(): number;
  delay(ms: number): Promise<void>;
  /** Called with its name when the other node is there. */
  onOther(node: string): void;
}

/**
 * Two nodes write at once where the records of shared storage lie, and both keep what came of it there. To be run on both at about
 * the same time; this is one side. The verdict is `kept` where nothing was lost as either of them sees it.
 *
 * Throws STORAGE_UNTRIED where no other node came, or it did not go on; and, as this says nothing of what the storage keeps, where there is no
 * space, nothing can be written, or a lock is not to be had: RECORD_FULL, RECORD_UNUSABLE, RECORD_BUSY. RECORD_UNSAFE. Nothing is kept then.
 */
export async function tryStorage(trial: Trial): Promise<Verdict> {
  const operation = `trying ${trial.named}`;
  const held = guarded(operation, () => holdTrial(trial.directory, { create: true }));
  if (held === undefined) throw untried(trial, `${trial.named} is not there`, 'Mount it, or make it once.');
  let talk: Talk | undefined;
  try {
    talk = new Talk(held, trial.side.node);
    const partner = await meet(trial, talk);
    trial.onOther(partner.node);
    return await tryWith(trial, { held, talk, partner });
  } catch (error) {
    const said = recordError(operation, error);
    if (talk !== undefined) giveUp(talk, messageOf(said));
    throw said;
  } finally {
    held.close();
  }
}

/** What the last trial of a node has shown; undefined: it has taken part in none. Throws RECORD_UNSAFE. */
export function lastVerdict(directory: string, node: string): Verdict | undefined {
  const held = holdTrial(directory, { create: false });
  if (held === undefined) return undefined;
  try {
    return readVerdict(held, node);
  } finally {
    held.close();
  }
}

function holdTrial(directory: string, { create }: { readonly create: boolean }): HeldDirectory | undefined {
  const state = holdDirectory(directory);
  if (state === undefined) return undefined;
  try {
    if (create) unlessThere(() => mkdirSync(state.at(trialName), 0o700));
    const held = state.enter(trialName);
    if (held === undefined) return undefined;
    const { uid, mode } = held.stats;
    const own = process.getuid?.() ?? 0;
    if (uid === own && (mode & 0o022) === 0) return held;
    held.close();
    throw unsafe(
      path.join(directory, trialName),
      uid === own ? 'is writable by others' : `belongs to uid ${uid}, not to ${own}`,
    );
  } finally {
    state.close();
  }
}

interface Met {
  readonly held: HeldDirectory;
  readonly talk: Talk;
  readonly partner: Heard;
}

/** Where that cannot be said, the other one stops waiting by itself. */
function giveUp(talk: Talk, because: string): void {
  try {
    talk.say({ is: 'given up', because });
  } catch {
    // It is what this run ends with that counts.
  }
}

/** Waits until this run and another one have chosen each other: of several the one of the name that comes first. */
async function meet(trial: Trial, talk: Talk): Promise<Heard> {
  const { side, waitSeconds } = trial;
  const end = trial.now() + waitSeconds * 1000;
  let mine: Here = { is: 'here', side, sees: [], chosen: '' };
  talk.say(mine);
  for (;;) {
    const all = lastHere(talk.hear());
    const free = all.filter(
      ({ here }) => here.sees.includes(talk.run) && ['', talk.run].includes(here.chosen),
    );
    const chosen = free.find(({ run }) => run === mine.chosen) ?? free[0];
    const now: Here = { ...mine, sees: all.map(({ run }) => run), chosen: chosen?.run ?? '' };
    if (JSON.stringify(now) !== JSON.stringify(mine)) talk.say(now);
    mine = now;
    // Said before it is refused: the other one is to see it too.
    if (chosen !== undefined) refuseSame(trial, chosen.here.side);
    if (chosen?.here.chosen === talk.run) return chosen;
    if (trial.now() > end)
      throw untried(
        trial,
        `no other node came to ${trial.named} in ${waitSeconds} s, or only one that tried with another one`,
        'Run it on two nodes at about the same time. Where it runs on both, they do not see the same directory, or do not see what is new in it.',
      );
    await trial.delay(lookMs);
  }
}

/** The last word of each run about where it is, by the names of the nodes. */
function lastHere(heard: readonly Heard[]): (Heard & { readonly here: Here })[] {
  const last = new Map<string, Heard & { readonly here: Here }>();
  for (const one of heard) if (one.message.is === 'here') last.set(one.run, { ...one, here: one.message });
  return [...last.values()].toSorted((one, other) => (one.node < other.node ? -1 : 1));
}

/** Whatever the storage does, it does it not to two names of one mount. */
function refuseSame(trial: Trial, other: Side): void {
  const { side } = trial;
  if (other.node === side.node)
    throw untried(
      trial,
      `the other node is called ${side.node} too`,
      'Give each node a name of its own ("node" in the configuration).',
    );
  if (other.machine === side.machine && other.bootId === side.bootId && other.device === side.device)
    throw untried(trial, `${other.node} is this machine, with the same mount`, 'Run it on two nodes.');
}

async function tryWith(trial: Trial, { held, talk, partner }: Met): Promise<Verdict> {
  const { side, busyMs } = trial;
  const { node } = side;
  const other = partner.node;
  const place: Place = { held, name: `${[node, other].toSorted().join('+')}.db`, me: node, other, busyMs };
  const next = nextOf(trial, talk, partner);
  const isFirst = talk.run < partner.run;
  const isOtherDone = (): boolean =>
    talk.hear().some(({ run, message }) => run === partner.run && message.is === 'done');
  const wrote = await writeBeside(place, isFirst, { talk, next, isOtherDone });
  talk.say({ is: 'done', ...wrote });
  const theirs = await next('done');
  const written = { [node]: wrote.written, [other]: theirs.written };
  const found = [...wrote.why, ...theirs.why];
  const mine = found.length > 0 ? [] : missingOf(place, written);
  talk.say({ is: 'verdict', why: mine });
  const why = [...found, ...mine, ...(await next('verdict')).why];
  if (isFirst) removeTrial(place);
  const verdict: Verdict = {
    format: 1,
    node,
    other,
    at: new Date(trial.now()).toISOString(),
    version,
    mount: trial.mount ?? null,
    kept: why.length === 0,
    why: [...new Set(why)],
    written,
  };
  keepVerdict(held, verdict);
  return verdict;
}

type Said<K extends Message['is']> = Extract<Message, { readonly is: K }>;
type Next = <K extends Message['is']>(kind: K) => Promise<Said<K>>;

interface Between {
  readonly talk: Talk;
  readonly next: Next;
  readonly isOtherDone: () => boolean;
}

/** The first of the two makes the database; neither writes before both have it open. */
async function writeBeside(
  place: Place,
  isFirst: boolean,
  { talk, next, isOtherDone }: Between,
): Promise<Wrote> {
  let db: Database.Database | undefined;
  const opened: string[] = [];
  const open = (): void => {
    try {
      if (isFirst) makeTrial(place);
      makeLines(place);
      db = openTrial(place);
    } catch (error) {
      opened.push(whyOf(place, error));
    }
  };
  try {
    if (isFirst) {
      open();
      talk.say({ is: 'made' });
      await next('open');
    } else {
      await next('made');
      open();
      talk.say({ is: 'open' });
    }
    return db === undefined ? { written: 0, why: opened } : await write(place, db, isOtherDone);
  } finally {
    db?.close();
  }
}

function nextOf(trial: Trial, talk: Talk, { run, node }: Heard): Next {
  return async <K extends Message['is']>(kind: K) => {
    const end = trial.now() + patienceSeconds * 1000;
    for (;;) {
      const theirs = talk.hear().filter((heard) => heard.run === run);
      const said = theirs.map(({ message }) => message).find((one): one is Said<K> => one.is === kind);
      if (said !== undefined) return said;
      for (const { message } of theirs)
        if (message.is === 'given up')
          throw untried(
            trial,
            `${node} gave up: ${message.because}`,
            'Remove the cause; then run it on both again.',
          );
      if (trial.now() > end)
        throw untried(
          trial,
          `${node} did not go on for ${patienceSeconds} s (it did not say "${kind}")`,
          'See what became of it there; then run it on both again.',
        );
      await trial.delay(lookMs);
    }
  };
}

function untried({ named }: Trial, why: string, hint: string): FailoverError {
  return new FailoverError(`Nothing was tried in ${named}: ${why}`, {
    code: 'STORAGE_UNTRIED',
    exitCode: exitCodes.stepFailed,
    operation: `trying ${named}`,
    hint,
  });
}
