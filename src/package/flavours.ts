/** One of the two Debian packages: they have the same contents but for Node. */
export interface Flavour {
  /** Of the package; the program's own name for the one that most people take. */
  readonly name: string;
  /** Whether Node lies in the package; else the system's is used. */
  readonly ownNode: boolean;
  /** The first line of the program. */
  readonly interpreter: string;
  /** What it needs beside the programs that both need. */
  readonly depends: readonly string[];
  /** Fields of the control file that only this one has. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The last paragraph of the description. */
  readonly about: string;
}

/** Where all that is ours lies. It must not move: nfs.conf names the callout in it. */
export const home = 'usr/lib/nlm-failover';

/**
 * process.versions.modules of the Node of Debian 13, 20.19. A native module is made for one such number (Node's
 * abi_version_registry.json), which Debian has in the name of Node's library.
 */
export const slimAbi = '115';

/** @param own the Node that lies in the package */
export function flavours(own: { readonly version: string }): readonly Flavour[] {
  return [
    {
      name: 'nlm-failover',
      ownNode: true,
      interpreter: `/${home}/bin/node`,
      depends: [],
      fields: [],
      about: `This package has Node.js ${own.version} in it, for systems that have none, or an older one than 20.`,
    },
    {
      name: 'nlm-failover-slim',
      ownNode: false,
      interpreter: '/usr/bin/node',
      depends: ['nodejs (>= 20)', `libnode${slimAbi}`],
      fields: [
        ['Provides', 'nlm-failover'],
        ['Conflicts', 'nlm-failover'],
        ['Replaces', 'nlm-failover'],
      ],
      about: 'This package uses the Node.js of Debian 13.',
    },
  ];
}
