import type { Config, Filesystem, FloatingIp, Volume } from '../../config/config.js';
import { isManaged, recordVolume } from '../../config/floating-ip.js';
import type { Host } from '../../host/host.js';
import { isMountOf, mountOfDevice } from '../../host/reading/mounts.js';
import { isAtOrBelow } from '../../paths.js';
import { type NotedHere, notedHere } from '../../rundir/mounts.js';
import { runDirectory } from '../../rundir/serving.js';
import { isNotedForAnother, notedForOther } from './noted-mounts.js';

/** An address as a release is to give it up. */
export interface AsNoted {
  readonly floatingIp: FloatingIp;
  /** What of it the configuration has otherwise, as sentences. */
  readonly remarks: readonly string[];
}

/**
 * An address as this node has mounted it (src/rundir/mounts.ts), where its file systems were edited, or taken out of the configuration, while
 * it was served: its exports, its locks, its record and the mounts are where they were, and so are to be given up there; `taken`: as the
 * configuration had it with which it was taken over, where that is known: see withoutLater, exportedAs. Not what others mount; nor a record that the configuration has on another device, which the next owner would not find: A-4 refuses that.
 */
export function asNoted(
  host: Host,
  config: Config,
  configured: FloatingIp,
  taken: FloatingIp | undefined,
): AsNoted {
  // Locks of what every node exports go another way than those of what moves along.
  if (taken !== undefined && (taken.shared === undefined) !== (configured.shared === undefined))
    return { floatingIp: taken, remarks: [sharedText] };
  const ip = withoutLater(configured, taken);
  const notes = isManaged(ip, 'mount') ? [] : mountedAsNoted(host, config, ip);
  const { stateVolume, filesystems } = ip;
  const onRecord = recordVolume(ip);
  const remarks = ip === configured ? [] : [laterText];
  const left = new Set(notes);
  const isThere = (volume: Volume) => mountOfDevice(host, volume) !== undefined;
  type AnyVolume = Volume & { readonly fsid?: string };
  /** What is mounted as it is configured; then its fsid, its device, its place: each is asked of all before the next. */
  const signs: ((one: NotedHere, volume: AnyVolume) => boolean)[] = [
    ({ note }, volume) => isThere(volume) && note.mountpoint === volume.mountpoint,
    ({ note }, volume) => !isThere(volume) && note.fsid !== undefined && note.fsid === volume.fsid,
    ({ mount }, volume) => !isThere(volume) && isMountOf(host, mount, volume.device),
    ({ note }, volume) => !isThere(volume) && volume !== onRecord && note.mountpoint === volume.mountpoint,
  ];
  const volumes = [...(stateVolume === undefined ? [] : [stateVolume]), ...filesystems];
  const found = new Map<Volume, NotedHere>();
  for (const isIt of signs)
    for (const volume of volumes.filter((one) => !found.has(one))) {
      const noted = [...left].find((one) => isIt(one, volume));
      if (noted === undefined) continue;
      left.delete(noted);
      found.set(volume, noted);
      if (!isThere(volume))
        remarks.push(`${placeOf(noted)}, as it was taken over: the configuration has it otherwise by now`);
    }
  const isLaid = (filesystem: Filesystem) => {
    if (found.has(filesystem) || filesystem === onRecord) return false;
    const { device, mountpoint } = filesystem;
    const other = notedForOther(host, ip, mountpoint);
    if (other !== undefined)
      remarks.push(
        `what is mounted on ${mountpoint} stays, as it is for ${other}: the configuration has ${device} there for ${ip.address} by now`,
      );
    return (
      other !== undefined ||
      (!isThere(filesystem) && notes.some(({ note }) => note.mountpoint === mountpoint))
    );
  };
  // In its place is what was mounted there before: another address's, or another one of these.
  const ours = filesystems.filter((filesystem) => !isLaid(filesystem));
  const there = <T extends Volume>(volume: T): T => {
    const { note } = found.get(volume) ?? {};
    if (note === undefined) return volume;
    const { device, mountpoint, type, options, fsid } = note;
    const isSame = isThere(volume);
    return {
      ...volume,
      ...(isSame ? {} : { device, mountpoint, type, options }),
      ...('fsid' in volume && fsid !== undefined ? { fsid } : {}),
    };
  };
  // Where nobody knows the Export_Id by which an export of NFS-Ganesha goes, it is unmounted alone, which finds it busy as long as it is exported.
  const isById = [...filesystems, ...(taken?.filesystems ?? [])].some(
    ({ exportId }) => exportId !== undefined,
  );
  const gone = [...left].flatMap((noted) => {
    const filesystem = isById ? exportedAs(taken, noted.note.fsid) : takenOut(noted);
    if (filesystem === undefined) return [];
    remarks.push(`${placeOf(noted)}, as it was taken over: it is not in the configuration any more`);
    return [filesystem];
  });
  return {
    remarks,
    floatingIp: {
      ...ip,
      stateDirectory: moved(ip.stateDirectory, onRecord, onRecord && there(onRecord)),
      ...(stateVolume === undefined ? {} : { stateVolume: there(stateVolume) }),
      filesystems: [
        ...ours.map((filesystem) => {
          const by = exportedAs(taken, there(filesystem).fsid);
          if (by === undefined || (by.exportId === filesystem.exportId && pathOf(by) === pathOf(filesystem)))
            return withExports(filesystem, there(filesystem));
          remarks.push(
            `${by.mountpoint} is exported as Export_Id ${by.exportId}, as it was taken over: the configuration has it otherwise by now`,
          );
          const { device, mountpoint, type, options } = there(filesystem);
          return { ...by, device, mountpoint, type, options };
        }),
        ...gone,
      ],
    },
  };
}

/** Of what goes by an Export_Id, as it was taken over. */
function exportedAs(taken: FloatingIp | undefined, fsid: string | undefined): Filesystem | undefined {
  return taken?.filesystems.find((one) => one.exportId !== undefined && one.fsid === fsid);
}

function pathOf({ exports, mountpoint }: Filesystem): string {
  return exports[0]?.path ?? mountpoint;
}

const sharedText =
  'what it serves is shared by every node (shared_filesystem) in the configuration of one time and not of another: given up as it was taken over';

const laterText =
  'what others do of it by now (managed_by_others), this node did when it was taken over: taken away here';

/** What was left to others (managed_by_others) since it was taken over, this node has made. Mounts are by their note: A-4, unmountNoted. */
function withoutLater(ip: FloatingIp, taken: FloatingIp | undefined): FloatingIp {
  const managedByOthers = ip.managedByOthers?.filter(
    (part) => part === 'mount' || taken === undefined || isManaged(taken, part),
  );
  return managedByOthers?.length === ip.managedByOthers?.length
    ? ip
    : { ...ip, managedByOthers: managedByOthers ?? [] };
}

/** Each once, as it lies topmost in its place. */
function mountedAsNoted(host: Host, config: Config, ip: FloatingIp): readonly NotedHere[] {
  const here = notedHere(host, runDirectory(host), ip.address).filter(
    ({ note, mount }) => note.mountpoint === mount.mountpoint && mountOfDevice(host, note) !== undefined,
  );
  const isFirst = ({ note }: NotedHere, index: number) =>
    here.findIndex((one) => one.note.mountpoint === note.mountpoint) === index;
  return here.filter((one, index) => isFirst(one, index) && !isNotedForAnother(host, config, ip, one));
}

/** All that is exported of it is found by its fsid. One without is unmounted alone: A-4, unmountNoted. */
function takenOut({ note }: NotedHere): Filesystem | undefined {
  const { device, mountpoint, type, options, fsid } = note;
  if (fsid === undefined) return undefined;
  return {
    device,
    mountpoint,
    type,
    options,
    fsid,
    exports: [{ path: mountpoint, clients: '*', options: '' }],
  };
}

/** What is exported of it lies where it is mounted. */
function withExports(configured: Filesystem, there: Filesystem): Filesystem {
  if (configured.mountpoint === there.mountpoint) return there;
  const exports = there.exports.map((one) => ({ ...one, path: moved(one.path, configured, there) }));
  return { ...there, exports };
}

/** A path on a volume that is mounted elsewhere. */
function moved(path: string, from: Volume | undefined, to: Volume | undefined): string {
  if (from === undefined || to === undefined || from.mountpoint === to.mountpoint) return path;
  return isAtOrBelow(path, from.mountpoint) ? `${to.mountpoint}${path.slice(from.mountpoint.length)}` : path;
}

function placeOf({ note }: NotedHere): string {
  return `${note.device} on ${note.mountpoint}`;
}
