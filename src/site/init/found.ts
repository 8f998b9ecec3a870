/** A value for the configuration, and what a person must know of it. */
export interface Found {
  /** Undefined: it cannot be known. */
  readonly value: string | number | undefined;
  /** What is wanted where it is not known: short, as the message shows 80 characters of a value. */
  readonly wanted?: string;
  /** Why it is this one, where it had to be guessed; or why it is not known. */
  readonly about?: string;
}

export interface FoundExport {
  readonly path: string;
  readonly clients: string;
  readonly options: string;
}

export interface FoundFilesystem {
  readonly fsid: Found;
  readonly device: Found;
  readonly mountpoint: string;
  readonly type: string;
  readonly options: string;
  readonly exports: readonly FoundExport[];
}

/** What init knows of an address and of what is served with it. */
export interface FoundSite {
  /** Undefined: nothing says which one is to move; `prefix` says what is wanted. */
  readonly address: string | undefined;
  readonly prefix: Found;
  readonly interface: Found;
  /** By which names clients may mount from it: what the name service says. */
  readonly names: readonly string[];
  readonly stateDirectory: Found;
  /** Undefined: the record lies on none of its own. */
  readonly stateVolume: (Omit<FoundFilesystem, 'fsid' | 'exports'> & { readonly about?: string }) | undefined;
  /** Somebody else mounts: a file system that has no device of its own. */
  readonly isMountedByOthers: boolean;
  readonly filesystems: readonly FoundFilesystem[];
  /** What is exported and is not in it, with the reason; each a sentence without its full stop. */
  readonly leftOut: readonly string[];
}
