// Run inside a mount namespace: binds new ones to a file there, one after another. mount-namespace-inside.js DIRECTORY TIMES
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { realHost } from '../../src/host/real.js';
import { bindMountNamespace } from '../../src/lockmanager/lockd-netns/build.js';

const [, , directory = '', times] = process.argv;
const file = path.join(directory, 'mnt');
execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', directory]);
execFileSync('mount', ['--make-private', directory]);
writeFileSync(file, '');
for (let left = Number(times); left > 0; left -= 1) {
  await bindMountNamespace(realHost, ['unshare', `--mount=${file}`, '--propagation', 'slave', 'true']);
  execFileSync('umount', [file]);
}
