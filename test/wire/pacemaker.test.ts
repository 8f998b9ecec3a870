// nlm-failover pacemaker with Pacemaker's own tools, on a CIB in a file: what is written is valid, is there afterwards, and nothing else has changed.
import test, { type ExecutionContext } from 'ava';
import { clusterToolsMissing, type Ended, PaperCluster } from '../site/pacemaker/cluster-tools.js';
import { sites } from '../site/pacemaker/sites.js';

const missing = clusterToolsMissing();
const clusterTest = missing === undefined ? test : test.skip;
const title = (text: string) => (missing === undefined ? text : `${text} (${missing})`);

function cluster(t: ExecutionContext, toml: string): PaperCluster {
  const made = new PaperCluster(toml);
  t.teardown(() => made.remove());
  return made;
}

function succeeded(t: ExecutionContext, { code, stdout, stderr }: Ended): string {
  t.is(code, 0, stdout + stderr);
  return stdout;
}

clusterTest(
  title('--format xml --apply: written, valid, unchanged when run again, and gone with --teardown'),
  async (t) => {
    const paper = cluster(t, sites.both);
    const before = paper.read();
    const first = succeeded(t, await paper.tool('--format', 'xml', '--apply', '--prefer', 'A'));
    t.regex(first, /created +nfs-10\.10\.1\.1: ocf:nlm-failover:address\n/);
    t.regex(
      first,
      /created +nfs-fd00--2: group of Filesystem, Filesystem, locks, exportfs, exportfs, IPaddr2, notify\n/,
    );
    succeeded(t, await paper.run(['crm_verify', '--live-check', '--verbose']));
    const written = paper.read();
    const second = succeeded(t, await paper.tool('--format', 'xml', '--apply', '--prefer', 'A'));
    t.regex(second, /nothing was to be done/);
    t.is(paper.read(), written);
    succeeded(t, await paper.tool('--teardown', '--apply'));
    t.deepEqual(withoutVersion(paper.read()), withoutVersion(before));
  },
);

/** Every word of a CIB, but for its own version. */
function withoutVersion(cib: string): string[] {
  return cib
    .replaceAll(/ (?:epoch|num_updates|admin_epoch|cib-last-written)="[^"]*"/g, '')
    .replaceAll(/\s*(<[^>]*>)\s*/g, '$1\n')
    .split('\n');
}
