import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { isMovedByCtdb } from '../../ctdb/local.js';
import type { Host } from '../../host/host.js';

// Which event scripts CTDB runs for NFS. ctdb-eventd takes a file of its legacy directory for a script by its name, and for enabled by its run bit
// (ctdb common/event_script.c, event_script_get_list); "ctdb event script enable" makes a link there to where the package has it.

/** Where ctdbd of a package has them (ctdb(7), FILES). */
export const legacyDirectory = '/etc/ctdb/events/legacy';

/** Ours, by their files in callouts/ctdb. */
export const ownScripts = ['06.nlm-failover.script', '62.nlm-failover.script'] as const;

/**
 * Those of CTDB for the NFS server of the kernel, 06.nfs before 4.21. They empty the directory of rpc.statd, and start the lock manager of one node
 * anew, alone (60.nfs.script, nfs-linux-kernel-callout, statd-callout).
 */
export const stockScripts = ['06.nfs.script', '60.nfs.script'] as const;

export function scriptFile(name: string): string {
  return path.join(legacyDirectory, name);
}

/** What is wrong with one of them that is enabled, as a sentence. */
export function stockText(name: string): string {
  return `${scriptFile(name)} is enabled: it empties the directory of rpc.statd, and restarts another daemon`;
}

/** What disables it. */
export function disablingText(name: string): string {
  return `ctdb event script disable legacy ${path.basename(name, '.script')}`;
}

/** Whether CTDB would run it. */
export function isEnabledScript(host: Host, name: string): boolean {
  const found = statSync(host.path(scriptFile(name)), { throwIfNoEntry: false });
  return found?.isFile() === true && (found.mode & 0o111) !== 0;
}

/** Whether CTDB is to have "ctdb serve" do its work on this node: it is here, or has since the boot. */
export function isCtdbs(host: Host, run: string): boolean {
  return isMovedByCtdb(run) || existsSync(host.path(legacyDirectory));
}

/** Where cluster managers look for it (fence-agents; Pacemaker, stonith). */
export const fenceAgentLink = '/usr/sbin/fence_nlm_failover';

/** Who would run it, and where that says so. */
const fencers = {
  Pacemaker: '/var/lib/pacemaker/cib/cib.xml',
  'dlm_controld (dlm.conf(5))': '/etc/dlm/dlm.conf',
} as const;

/** Which of them is here, that fences nodes. */
export function fencersHere(host: Host): string[] {
  return Object.entries(fencers).flatMap(([who, file]) =>
    existsSync(host.path(path.dirname(file))) ? [who] : [],
  );
}

/** Who has the other nodes refuse before a node is fenced; undefined: nobody. */
export function refusesFirst(host: Host): string | undefined {
  const isNamed = (file: string) =>
    /(?<![\w-])fence_nlm_failover(?![\w-])/.test((host.readText(file) ?? '').replaceAll(/^\s*#.*$/gm, ''));
  return Object.entries(fencers).find(([, file]) => isNamed(file))?.[0];
}
