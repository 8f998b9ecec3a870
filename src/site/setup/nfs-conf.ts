import { commandText } from '../../host/action.js';
import type { Host } from '../../host/host.js';
import { isInstalled } from '../../host/running/command.js';
import { isYes, readNfsConf } from '../../host/settings/nfs-conf.js';
import type { Finding, SetupItem } from './item.js';
import { lookAtFile, removeFile, type SetupPlace, writeFile } from './written-file.js';

export const dropIn = '/etc/nfs.conf.d/nlm-failover.conf';

/** The name of the item, which that of rpc.statd asks for. */
export const nfsConfName = 'nfs.conf';

/** What rpc.statd and sm-notify must find (nfs.conf(5)): each client is recorded, and no stock sm-notify ends a grace. */
function lines(callout: string): string[] {
  return ['[statd]', `ha-callout=${quoted(callout)}`, '[sm-notify]', 'lift-grace=n'];
}

/** Quotes keep blanks (nfs-utils support/nfs/conffile.c, conf_parse_line). */
function quoted(value: string): string {
  return /\s/.test(value) ? `"${value}"` : value;
}

/**
 * The drop-in for nfs.conf(5). nfsconf(8), of nfs-utils, says what counts: it reads what rpc.statd reads. nfs-utils before 2.5.3 reads no
 * nfs.conf.d (commit 15e17993); then, and where another file says otherwise, the lines are for the administrator.
 */
export function nfsConf(place: SetupPlace, callout: string): SetupItem {
  const { host } = place;
  const text = [
    '# Made by "nlm-failover setup"; "nlm-failover setup --undo" takes it away. CALLOUT in nlm-failover(8).',
    ...lines(callout),
    '',
  ].join('\n');
  const says = `ha-callout=${callout}, lift-grace=n`;
  const byHand = (why: string): Finding => ({
    state: 'by hand',
    detail: `${why}: write these lines into /etc/nfs.conf, then restart rpc-statd`,
    commands: lines(callout),
  });
  const outOf = (file: Finding): Finding =>
    file.state === 'to do' ? { ...file, detail: `${file.detail}: ${says}` } : file;
  return {
    name: nfsConfName,
    look: async () => {
      const file = await lookAtFile(place, dropIn, text);
      if (!isInstalled('nfsconf')) return byHand('no nfsconf(8) here, so that nobody knows what is read');
      // Written by an older installation, it says what counts, and goes with that.
      if (await counts(host, callout))
        return file.state === 'to do' && host.readText(dropIn) !== undefined
          ? outOf(file)
          : { state: 'unchanged', detail: says };
      return file.state === 'unchanged' ? byHand(await overruled(host)) : outOf(file);
    },
    act: async () => {
      writeFile(place, dropIn, text);
      if (await counts(host, callout)) return { state: 'done', detail: `${dropIn}: ${says}` };
      const why = await overruled(host);
      removeFile(place, dropIn);
      return byHand(why);
    },
  };
}

/** Whether that is what rpc.statd and sm-notify would find now. */
async function counts(host: Host, callout: string): Promise<boolean> {
  const lift = await valueOf(host, 'sm-notify', 'lift-grace');
  return (await valueOf(host, 'statd', 'ha-callout')) === callout && isYes(lift) === false;
}

async function valueOf(host: Host, section: string, key: string): Promise<string | undefined> {
  const { exitCode, stdout, stderr } = await host.run(['nfsconf', '--get', section, key], { short: true });
  if (exitCode === 0) return stdout.replace(/\n$/, '');
  // Without /etc/nfs.conf it fails, while rpc.statd reads the drop-ins (seen with 2.6.2).
  return stderr.includes('Error loading') ? readNfsConf(host).get(section, key) : undefined;
}

async function overruled(host: Host): Promise<string> {
  const argv = ['nfsconf', '--get', 'statd', 'ha-callout'];
  const said = (await valueOf(host, 'statd', 'ha-callout')) ?? 'nothing';
  return `"${commandText(argv)}" says ${said} with ${dropIn} in place: another file has the last word, or this nfs-utils reads no nfs.conf.d (before 2.5.3)`;
}
