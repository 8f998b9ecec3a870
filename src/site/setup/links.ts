import { readlinkSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { putInPlace } from '../../host/in-place.js';
import type { Finding, SetupItem } from './item.js';
import { expectRoots } from './ledger.js';
import { makeDirectories, type SetupPlace } from './written-file.js';

/** A link of ours, where another program looks for what it leads to. */
export interface WantedLink {
  /** The name of the item. */
  readonly name: string;
  readonly link: string;
  readonly target: string;
}

/** That it is there; `ahead` looks first where it is to be made, and throws FailoverError where it may not. */
export function linkMade(
  place: SetupPlace,
  { name, link, target }: WantedLink,
  ahead: () => void | Promise<void> = () => undefined,
): SetupItem {
  const { host, ledger } = place;
  const command = `ln -sfn ${target} ${link}`;
  const toDo = async (detail: string): Promise<Finding> => {
    await ahead();
    return { state: 'to do', detail, commands: [command] };
  };
  return {
    name,
    look: async (): Promise<Finding> => {
      await expectRoots(host, path.dirname(link));
      const there = linkTarget(host, link);
      if (there === undefined) return toDo(link);
      // A package has it, with a target of its own.
      if (there !== '' && leadsTo(host, link, target))
        return { state: 'unchanged', detail: `${link}, ${there}` };
      if (ledger.linked(link, there)) return toDo(`${link}, which setup made before`);
      return {
        state: 'left',
        detail: `${link} was not made by setup, or changed since; remove it, or have it lead to that of this installation`,
        commands: [command],
      };
    },
    act: async () => {
      makeDirectories(place, path.dirname(link));
      ledger.addLink(link, target);
      putInPlace(host.path(link), (beside) => symlinkSync(target, beside));
      return { state: 'done', detail: `${link}: ${target}` };
    },
  };
}

/** --undo: of a link that setup has made. */
export function linkTakenBack({ host, ledger }: SetupPlace, name: string, link: string): SetupItem {
  return {
    name,
    look: async (): Promise<Finding> => {
      await expectRoots(host, path.dirname(link));
      const there = linkTarget(host, link);
      if (there === undefined) return { state: 'unchanged', detail: `${link} is gone already` };
      if (ledger.linked(link, there)) return { state: 'to do', detail: link, commands: [`rm ${link}`] };
      return { state: 'left', detail: `${link} was changed since setup made it` };
    },
    act: async () => {
      rmSync(host.path(link), { force: true });
      ledger.removeLink(link);
      return { state: 'done', detail: `${link} is gone` };
    },
  };
}

/** Where it leads to; empty: it is there, and no link; undefined: it is not there. */
export function linkTarget(host: Host, link: string): string | undefined {
  try {
    return readlinkSync(host.path(link));
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return '';
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Whether it leads there, by whatever name. */
function leadsTo(host: Host, link: string, target: string): boolean {
  try {
    return realpathSync(host.path(link)) === realpathSync(target);
  } catch {
    return false; // it leads nowhere
  }
}
