// Makes LINK point to ONE, to OTHER, to ONE, ... as fast as it can, by rename(2), until it is killed or its parent ends.
import { renameSync, symlinkSync } from 'node:fs';

const [link = '', ...targets] = process.argv.slice(2);
const parent = process.ppid;
console.log('flipping');
while (process.ppid === parent) {
  for (const target of targets) {
    symlinkSync(target, `${link}.new`);
    renameSync(`${link}.new`, link);
  }
}
