import { execFileSync } from 'node:child_process';

/** Whom Debian's rpc.statd, and so its callout, runs as. */
export const statdUser = {
  name: 'statd',
  uid: idOf('-u'),
  gid: idOf('-g'),
};

function idOf(option: '-u' | '-g'): number {
  return Number(execFileSync('id', [option, 'statd'], { encoding: 'utf8' }));
}
