import type { Lab } from './lab.js';
import type { Locked } from './scenario-steps.js';
import { mountpointOf, nlmFailover, recordOf, stateDisk, type SiteIp } from './site.js';

/**
 * What a client does that wants the record gone: it mounts the state volume, or else goes to the journal by its name, as the README
 * and the manual have it, where it has the export, and appends as statd's user that the holder has left. AUTH_SYS lets it name any
 * user but root.
 */
const script = `
  mkdir -p /mnt/forge
  if timeout 20 mount -t nfs -o vers=3,proto=tcp,nolock,retry=0 "$1" /mnt/forge 2>/dev/null; then echo "mounted $1"; fi
  for top in /mnt/nfs /mnt/nfs/.nlm /mnt/nfs/../state1 /mnt/forge /mnt/forge/.nlm "$5"; do
    setpriv --reuid "$3" --clear-groups sh -c '[ ! -e "$1" ] || printf "@1 99999999.00 del-client %s - - .\\n" "$2" >>"$1" && [ -e "$1" ] && echo "forged $1"' sh "$top/sm_$4/journal.A" "$2" || :
  done`;

/** The rival does that while A serves. Returns what it got at, and whether A's record has the holder still. */
export async function forge(
  { a, site }: Lab,
  ip: SiteIp,
  { holder, rival }: Locked,
): Promise<{ readonly reached: string; readonly isRecorded: boolean }> {
  const client = site.addressOf(holder);
  const statd = await a.run(['stat', '-c', '%u', `${recordOf(ip)}/journal.A`]);
  const server = ip.address.includes(':') ? `[${ip.address}]` : ip.address;
  const volume = `${server}:${mountpointOf(stateDisk(ip))}`;
  const { stdout } = await rival.run(script, {
    args: [volume, client, statd.stdout.trim(), ip.address, mountpointOf(stateDisk(ip))],
  });
  const clients = await nlmFailover(a, ['clients', ip.address]);
  return { reached: stdout, isRecorded: clients.stdout.includes(`"${client}"`) };
}
