// A record that the configuration shows beside every export, and that clients reach all the same: bind mounts and symbolic links of
// this machine's own kernel, in a mount namespace of the test's.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';

const inside = path.resolve('build/test/attacks/exposed-record-inside.js');
const asRoot = process.getuid?.() === 0 ? test : test.skip;

/** `$d` has two file systems, state and data; what is exported is below. */
const prelude = `set -eu
  d=$1
  mkdir -p "$d/state" "$d/data" "$d/other"
  mount -t tmpfs state "$d/state"; mount -t tmpfs data "$d/data"
  mkdir -p "$d/state/nlm" "$d/data/deep" "$d/data/exported"
  place=$d/state/nlm
`;

const cases: Readonly<Record<string, readonly [script: string, reached: boolean]>> = {
  'another file system is exported': ['echo "$d/data\t*(rw)" >"$d/etab"', false],
  'its own file system is exported': ['echo "$d/state\t*(rw)" >"$d/etab"', true],
  'a bind mount of it is exported': [
    'mount --bind "$d/state" "$d/other"; echo "$d/other\t*(rw)" >"$d/etab"',
    true,
  ],
  'a bind mount of a directory of it that has no record': [
    'mkdir "$d/state/pub"; mount --bind "$d/state/pub" "$d/other"; echo "$d/other\t*(rw)" >"$d/etab"',
    true,
  ],
  'the state directory is a bind mount of an exported directory': [
    'mount --bind "$d/data/deep" "$d/other"; place=$d/other; echo "$d/data/exported\t*(rw)" >"$d/etab"',
    true,
  ],
  'the state directory is a symbolic link onto what is exported': [
    'ln -s "$d/data/deep" "$d/link"; place=$d/link/nlm; echo "$d/data\t*(rw)" >"$d/etab"',
    true,
  ],
  'a link in the middle of the exported path': [
    'ln -s state "$d/link"; echo "$d/link/nlm\t*(rw)" >"$d/etab"',
    true,
  ],
  'a blank in the exported path': ['mkdir "$d/state/a b"; echo "$d/state/a\\\\040b\t*(rw)" >"$d/etab"', true],
  'it is exported by Kerberos alone': ['echo "$d/state\t*(rw,sec=krb5:krb5p)" >"$d/etab"', false],
  'by Kerberos alone, as nobody': ['echo "$d/state\t*(rw,sec=krb5,anonuid=65534)" >"$d/etab"', false],
  'by Kerberos alone, everybody as one user': [
    'echo "$d/state\t*(rw,all_squash,sec=krb5,anonuid=103)" >"$d/etab"',
    true,
  ],
  'crossmnt of what it is mounted below': [
    'mkdir "$d/data/state"; mount -t tmpfs below "$d/data/state"; place=$d/data/state; echo "$d/data\t*(rw,crossmnt)" >"$d/etab"',
    true,
  ],
  'the same without crossmnt': [
    'mkdir "$d/data/state"; mount -t tmpfs below "$d/data/state"; place=$d/data/state; echo "$d/data\t*(rw)" >"$d/etab"',
    false,
  ],
};

for (const [what, [script, reached]] of Object.entries(cases)) {
  asRoot(`${reached ? 'reached' : 'not reached'}: ${what}`, (t) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-exposed-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const run = `${prelude}${script}\nexec "$2" "$3" "$d/etab" "$place"`;
    const argv = ['-m', '--', 'sh', '-c', run, 'sh', directory, process.execPath, inside];
    const { status, stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
    t.is(status, 0, stderr);
    t.is(stdout !== '', reached, stdout);
  });
}
