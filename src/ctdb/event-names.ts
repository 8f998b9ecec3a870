/** Those that the event scripts hand on. */
export const events = [
  'startup',
  'shutdown',
  'monitor',
  'takeip',
  'releaseip',
  'ipreallocated',
  'startipreallocate',
  'recovered',
] as const;
export type CtdbEvent = (typeof events)[number];
