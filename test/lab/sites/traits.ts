/**
 * What servers differ in. The first value of each trait is that of the default site, which is the README's; the others are what
 * people have. A scenario says which of them it cannot do with (`SiteLimits`), and gets the rest drawn: see draw.ts.
 */
export const traits = {
  /** How the export names its clients: "*", their network, each by a name of /etc/hosts (one an alias), a wildcard of names. */
  clients: ['everybody', 'network', 'names', 'wildcard'],
  /** Of the export, beside rw. */
  options: ['root_squash', 'no_root_squash', 'all_squash', 'subtree_check'],
  /** How the configuration names the device: as the kernel does, UUID=, LABEL= with a slash and a space, by a link. */
  device: ['node', 'uuid', 'label', 'link'],
  type: ['ext4', 'xfs', 'btrfs'],
  /** A directory of /mnt; one that is not there yet; one with a space and a letter that is not ASCII; one behind a symbolic link. */
  mountpoint: ['plain', 'missing', 'space', 'link'],
  /** What is exported of the volume. */
  path: ['directory', 'volume'],
  /** A state volume with multiple mount protection; one without; the exported volume, whose clients are trusted. */
  state: ['protected', 'volume', 'exported'],
  /** /etc/nfs.conf: none; nfsd bound to the server's own address; fixed ports and NFSv4; a drop-in with threads and UDP. */
  nfsConf: ['none', 'host', 'ports', 'drop-in'],
  family: ['IPv4', 'IPv6'],
} as const;

export type Trait = keyof typeof traits;
export type SiteTraits = { readonly [T in Trait]: (typeof traits)[T][number] };
/** The values that a scenario can do with; a trait that is not named is free. */
export type SiteLimits = { readonly [T in Trait]?: readonly SiteTraits[T][] };

export const traitNames = Object.keys(traits) as Trait[];

/** The README's. */
export const defaultSite = Object.fromEntries(
  traitNames.map((name) => [name, traits[name][0]]),
) as unknown as SiteTraits;

/** Whether the tool serves such a site. */
export function isServed({ state, type }: SiteTraits): boolean {
  // Whose the record is must be known before its volume is mounted; of ext4 alone that can be read.
  return state !== 'exported' || type === 'ext4';
}
