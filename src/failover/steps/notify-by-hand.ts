import path from 'node:path';
import type { FloatingIp } from '../../config/config.js';
import { clientNamePattern } from '../../names.js';
import { commandText, enteringText } from '../../host/action.js';
import { lockdCallback } from '../../host/reading/statd.js';
import { databasePath, recordDirectory } from '../../record/safe-files/layout.js';

/**
 * B-3 without this program: sm-notify(8) of nfs-utils, from a directory that is made of the record and its journals. Its files are named after
 * the hosts, and their lines are those of nsm_insert_monitored_host (support/nsm/file.c): address, program, version and procedure of lockd, a
 * cookie, mon_name, my_name; `state` is an int. With -v it binds to the address, which a Linux client knows the server by, and wants a name for it
 * (utils/statd/sm-notify.c, smn_verify_my_name). A name out of a journal may be anybody's, and becomes a file's: none with a slash is taken.
 *
 * `enter`: what stands before a command that is to run where the address is.
 */
export function notifyByHand(ip: FloatingIp, enter: readonly string[]): string[] {
  const { address, names, shared, stateDirectory } = ip;
  const record = recordDirectory(stateDirectory, address);
  // Other addresses, on other nodes too, may be at it in the same storage.
  const directory = path.join(stateDirectory, shared === undefined ? 'notify' : `notify-${address}`);
  const below = (name: string) => commandText([path.join(directory, name)]);
  const select = `${commandText(['sqlite3', databasePath(record)])} "SELECT DISTINCT client FROM clients"`;
  const isName = `/^${clientNamePattern.replaceAll(/\{.*\}/g, '*')}$/`;
  const awk = `awk '($3 == "add-client" || $3 == "recorded") && $4 ~ ${isName} { print $4 }' ${commandText([record])}/journal.*`;
  const line = `printf '${lockdCallback} %032d %s %s\\n' 0 "$c" ${address}`;
  // Where it has none, any does: what is sent is the name in the files.
  const named = [address, ...(names.length === 0 ? ['floating-ip'] : names)].join(' ');
  return [
    `rm -rf ${commandText([directory])} && mkdir -p ${below('sm')} ${below('sm.bak')}`,
    `{ ${select}; ${awk}; } | sort -u > ${below('clients')}   # rather one too many`,
    `while read -r c; do ${line} > ${below('sm')}/"$c"; done < ${below('clients')}`,
    `perl -e 'print pack("l", time)' > ${below('state')}   # a state that no client has seen`,
    `chown -R --reference=/var/lib/nfs/sm ${commandText([directory])}   # RHEL: /var/lib/nfs/statd/sm`,
    enteringText(enter, `grep -q '^${address} ' /etc/hosts || echo '${named}' >> /etc/hosts`),
    enteringText(enter, `sm-notify -d -f -m 1 -v ${address} -P ${commandText([directory])}`),
  ];
}
