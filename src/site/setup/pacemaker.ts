import { readlinkSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { putInPlace } from '../../host/in-place.js';
import type { Finding, SetupItem } from './item.js';
import { expectRoots } from './ledger.js';
import type { Installation } from './units.js';
import { makeDirectories, type SetupPlace } from './written-file.js';

/** Where Pacemaker, and whoever else runs OCF agents, looks for those of a provider, which the name of the directory is (OCF 1.0, 3.3). */
export const agentsLink = '/usr/lib/ocf/resource.d/nlm-failover';

/** --pacemaker: the agents of this installation are where a cluster manager finds them. */
export function agentsLinked(place: SetupPlace, { callouts }: Pick<Installation, 'callouts'>): SetupItem {
  const { host, ledger } = place;
  const target = path.join(callouts, 'ocf');
  const command = `ln -sfn ${target} ${agentsLink}`;
  return {
    name: 'ocf agents',
    look: async (): Promise<Finding> => {
      await expectRoots(host, path.dirname(agentsLink));
      const there = linkTarget(host);
      if (there === undefined) return { state: 'to do', detail: agentsLink, commands: [command] };
      // A package has it, with a target of its own.
      if (there !== '' && isSame(host, target))
        return { state: 'unchanged', detail: `${agentsLink}, ${there}` };
      if (ledger.linked(agentsLink, there))
        return { state: 'to do', detail: `${agentsLink}, which setup made before`, commands: [command] };
      return {
        state: 'left',
        detail: `${agentsLink} was not made by setup, or changed since; remove it, or have it lead to the agents of this installation`,
        commands: [command],
      };
    },
    act: async () => {
      makeDirectories(place, path.dirname(agentsLink));
      ledger.addLink(agentsLink, target);
      putInPlace(host.path(agentsLink), (beside) => symlinkSync(target, beside));
      return { state: 'done', detail: `${agentsLink}: ${target}` };
    },
  };
}

/** --undo: of a link that setup has made. */
export function linkTakenBack({ host, ledger }: SetupPlace, link: string): SetupItem {
  return {
    name: 'ocf agents',
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

/** Whether it leads there, by whatever name. */
function isSame(host: Host, target: string): boolean {
  try {
    return realpathSync(host.path(agentsLink)) === realpathSync(target);
  } catch {
    return false; // it leads nowhere
  }
}

/** Where it leads to; empty: it is there, and no link. */
function linkTarget(host: Host, link = agentsLink): string | undefined {
  try {
    return readlinkSync(host.path(link));
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return '';
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
