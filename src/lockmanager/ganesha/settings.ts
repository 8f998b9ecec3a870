import type { Filesystem } from '../../config/config.js';
import type { Obstacle } from '../../host/action.js';
import { exportBlocks } from './block.js';
import { booleanOf, coreParam, gracePeriodOf, isGraceless } from './conf.js';

/** What is looked at. */
export interface Settings {
  /** The file, and what stands in it; undefined: it is not there. */
  readonly file: string;
  readonly text: string | undefined;
  /** `ganesha_grace` says how long a grace is. */
  readonly isGraceSaid: boolean;
  /** The file systems that the server may export only once B-5 has come. */
  readonly moving: readonly Filesystem[];
}

/** What a ganesha.conf has that keeps locks from being had, recorded or kept. */
export function settingsAmiss({ file, text, isGraceSaid, moving }: Settings): Obstacle[] {
  const found: Obstacle[] = [];
  const note = (message: string, hint: string) => found.push({ message, hint, isNote: true });
  if (!isGraceSaid && gracePeriodOf(text ?? '') === undefined)
    note(
      `${text === undefined ? 'There is no' : 'No Grace_Period is in the block NFSv4 of'} ${file} (ganesha_conf): 90 s, NFS-Ganesha's default, are taken for the length of a grace`,
      'Write ganesha_grace in [lock_manager], or Grace_Period into that file.',
    );
  if (text === undefined) return found;
  const restart = 'Correct it there, and start NFS-Ganesha anew.';
  const protocols = coreParam(text, 'NFS_Protocols');
  if (protocols !== undefined && !/(?<!\d)3(?!\d)/.test(protocols))
    found.push({
      message: `NFS_Protocols in ${file} is "${protocols}": NFS-Ganesha does not serve NFSv3`,
      hint: restart,
    });
  if (booleanOf(coreParam(text, 'Enable_NLM')) === false)
    found.push({ message: `Enable_NLM in ${file} is off: nobody can lock over NFSv3`, hint: restart });
  if (isGraceless(text))
    found.push({
      message: `Graceless in ${file} is on: NFS-Ganesha enters no grace, in which clients reclaim`,
      hint: restart,
    });
  if (booleanOf(coreParam(text, 'NSM_Use_Caller_Name')) === true)
    note(
      `NSM_Use_Caller_Name in ${file} is on: clients are recorded by the names that they give themselves, and one that does not resolve here is not notified`,
      restart,
    );
  const atStart = exportBlocks(text).filter(({ id }) => moving.some(({ exportId }) => exportId === id));
  for (const { id = 0, path = 'nothing' } of atStart)
    note(
      `${file} has an EXPORT block with Export_Id ${id} (${path}), which is that of a file system that moves: NFS-Ganesha exports it at its start, mounted or not`,
      'Take the block out of that file: B-5 exports.',
    );
  return found;
}
