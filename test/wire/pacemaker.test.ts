// nlm-failover pacemaker with Pacemaker's own tools, on a CIB in a file: what is written is valid, is there afterwards, and nothing else has changed.
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { all, parse } from '../../src/site/pacemaker/cib/xml.js';
import { formats } from '../../src/site/pacemaker/formats.js';
import { clusterToolsMissing, emptyCib, PaperCluster } from '../site/pacemaker/cluster-tools.js';
import { normalised, simulated, succeeded, withoutVersion } from '../site/pacemaker/simulated.js';
import { sites } from '../site/pacemaker/sites.js';

const missing = clusterToolsMissing();
const clusterTest = missing === undefined ? test : test.skip;
const title = (text: string) => (missing === undefined ? text : `${text} (${missing})`);

function cluster(t: ExecutionContext, toml: string): PaperCluster {
  const made = new PaperCluster(toml);
  t.teardown(() => made.remove());
  return made;
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

for (const [what, argv] of [
  ['in a group', ['pcs', 'resource', 'group', 'add', 'mine', 'nfs-10.10.1.1', 'other']],
  ['cloned', ['pcs', 'resource', 'clone', 'nfs-10.10.1.1']],
  ['tagged', ['pcs', 'tag', 'create', 'mine', 'nfs-10.10.1.1', 'other']],
  ['of another address', ['crm_resource', '--resource', 'nfs-10.10.1.1', '-p', 'address', '-v', '10.10.1.9']],
] as const) {
  clusterTest(title(`--teardown --apply changes nothing where a resource is ${what}`), async (t) => {
    const paper = cluster(t, sites.both);
    succeeded(t, await paper.tool('--format', 'xml', '--apply'));
    for (const one of [
      ['pcs', 'resource', 'create', 'other', 'ocf:heartbeat:Dummy'],
      // Else pcs does not make a clone of what is in an order with others.
      ['cibadmin', '--delete', '--xpath', '//rsc_order'],
      argv,
    ])
      succeeded(t, await paper.run(one[0] === 'pcs' ? ['pcs', '-f', paper.cib, ...one.slice(1)] : one));
    succeeded(t, await paper.run(['crm_verify', '--live-check', '--verbose']));
    const before = paper.read();
    const { code, stderr } = await paper.tool('--teardown', '--apply', 'fd00::2', '10.10.1.1');
    t.is(code, 3, stderr);
    t.regex(stderr, /nfs-10\.10\.1\.1/);
    t.is(paper.read(), before);
  });
}

clusterTest(
  title('what pcs, crm and cibadmin are told by the printed commands is the same CIB'),
  async (t) => {
    const made = await Promise.all(
      formats.map(async (format) => {
        const paper = cluster(t, sites.both);
        const printed = succeeded(t, await paper.tool('--format', format, '--prefer', 'B'));
        succeeded(t, await paper.run(['sh'], printed));
        succeeded(t, await paper.run(['crm_verify', '--live-check', '--verbose']));
        // What one program has written is nothing new to the others.
        const other = formats.find((one) => one !== format) ?? format;
        const again = succeeded(t, await paper.tool('--format', other, '--apply', '--prefer', 'B'));
        t.regex(again, /nothing was to be done/, format);
        return normalised(paper.read().replaceAll(paper.directory, ''));
      }),
    );
    const [first] = made;
    t.true((first?.length ?? 0) > 60);
    for (const one of made) t.deepEqual(one, first);
  },
);

for (const format of ['pcs', 'crm'] as const) {
  clusterTest(title(`of what --format ${format} prints all is made or nothing`), async (t) => {
    const paper = cluster(t, sites.both);
    const before = paper.read();
    const printed = succeeded(t, await paper.tool('--format', format));
    // The last is enough where a command takes a second to start.
    for (const agent of process.env['NLM_FULL'] === undefined ? ['notify'] : ['address', 'locks', 'notify']) {
      const { code, stderr } = await paper.run(
        ['sh'],
        printed.replace(`ocf:nlm-failover:${agent}`, 'ocf:nlm-failover:missing'),
      );
      t.not(code, 0);
      t.regex(stderr, /ocf:nlm-failover:missing/);
      t.is(paper.read(), before, agent);
    }
  });

  clusterTest(title(`--format ${format} --apply, and hostile paths`), async (t) => {
    const paper = cluster(t, sites.single);
    const file = path.join(paper.directory, `a b'$HOME;"&*`);
    copyFileSync(paper.toml, file);
    succeeded(t, await paper.tool('--config', file, '--format', format, '--apply'));
    const nvpairs = all(parse(paper.read(), 'the CIB')).filter(({ name }) => name === 'nvpair');
    t.is(nvpairs.find(({ attributes }) => attributes['name'] === 'config')?.attributes['value'], file);
    t.regex(succeeded(t, await paper.tool('--config', file, '--apply')), /nothing was to be done/);
  });
}

clusterTest(title('where it starts, what it waits for, and where it stays'), async (t) => {
  const paper = cluster(t, sites.both);
  succeeded(t, await paper.tool('--format', 'xml', '--apply'));
  const start = await simulated(t, paper, []);
  const [single = '', group = ''] = ['nfs-10.10.1.1', 'nfs-fd00--2-fs1'].map(
    (id) => start.places.get(id) ?? '',
  );
  t.deepEqual([single, group].toSorted(), ['A', 'B'], 'each alone, and not both on one node');
  t.true(start.waitsFor('nfs-fd00--2-fs1_start_0', 'nfs-10.10.1.1_start_0'), 'their starts are kept apart');
  const members = ['fs1', 'fs2', 'locks', 'export1', 'export2', 'ip', 'notify'].map(
    (name) => `nfs-fd00--2-${name}`,
  );
  for (const [at, member] of members.entries())
    t.true(at === 0 || start.waitsFor(`${member}_start_0`, `${members[at - 1] ?? ''}_start_0`), member);

  const lost = await simulated(t, paper, ['--node-fail', single]);
  t.is(lost.places.get('nfs-10.10.1.1'), group);
  const isFenced = [...lost.graph.keys()].some((key) => key === `stonith-${single}-reboot`);
  t.true(
    isFenced && lost.waitsFor('nfs-10.10.1.1_start_0', `stonith-${single}-reboot`),
    'nothing before fencing',
  );

  const back = await simulated(t, paper, ['--node-up', single]);
  t.is(back.places.get('nfs-10.10.1.1'), group, 'it stays');
  succeeded(t, await paper.tool('--apply', '--prefer', single, '10.10.1.1'));
  const home = await simulated(t, paper, []);
  t.is(home.places.get('nfs-10.10.1.1'), single, 'it comes home');
  // The group too, whose members' stickiness adds up.
  succeeded(t, await paper.tool('--apply', '--prefer', single, 'fd00::2'));
  t.is((await simulated(t, paper, [])).places.get('nfs-fd00--2-notify'), single);
});

clusterTest(title('what runs and is not managed is not waited for, and stays as it is'), async (t) => {
  const paper = cluster(t, sites.both);
  succeeded(t, await paper.tool('--format', 'xml', '--apply'));
  await simulated(t, paper, []);
  const before = paper.read();
  const pair = (name: string, value: string) => `<nvpair id="test" name="${name}" value="${value}"/>`;
  const maintenance = before.replace('</cluster_property_set>', `${pair('maintenance-mode', 'true')}$&`);
  for (const [what, changed] of [
    ['the cluster', maintenance],
    [
      'both nodes',
      before.replaceAll(
        /<node id="(.)" uname="(.)"\/>/g,
        '<node id="$1" uname="$2"><instance_attributes id="a$1"><nvpair id="b$1" name="maintenance" value="true"/></instance_attributes></node>',
      ),
    ],
    [
      'the group',
      before.replace(
        '<meta_attributes id="nfs-fd00--2-meta_attributes">',
        `$&${pair('is-managed', 'false')}`,
      ),
    ],
    [
      'all by default',
      before.replace(
        '</configuration>',
        `<rsc_defaults><meta_attributes id="defaults">${pair('is-managed', 'false')}</meta_attributes></rsc_defaults>$&`,
      ),
    ],
  ] as const) {
    t.not(changed, before, what);
    paper.write(changed);
    const { code, stderr } = await paper.tool('--teardown', '--apply');
    t.is(code, 3, `${what}: ${stderr}`);
    t.regex(stderr, /nfs-\S+ runs on [AB] and is not managed.*\n.* Nothing was touched/, what);
    t.is(paper.read(), changed, what);
  }
  // What does not run is not stopped either, and goes.
  paper.write(maintenance.replaceAll(/<lrm_resource .*?<\/lrm_resource>/gs, ''));
  const { stderr } = await paper.tool('--apply', '--prefer', 'C');
  t.regex(stderr, /WARNING: The cluster has no node C: it has A, B/);
  t.regex(stderr, /NOTE: The cluster is in maintenance mode/);
  succeeded(t, await paper.tool('--teardown', '--apply'));
});

clusterTest(
  title('it warns where fencing is off, with exit code 0, and turns nothing on or off'),
  async (t) => {
    const paper = new PaperCluster(sites.single, emptyCib({ fencing: 'false' }));
    t.teardown(() => paper.remove());
    const { code, stderr } = await paper.tool();
    t.is(code, 0);
    t.regex(stderr, /^WARNING: Fencing is off \(stonith-enabled=false\)/);
    const { stdout } = await paper.tool('--json', '--format', 'xml', '--apply');
    const [first, , last] = stdout
      .trimEnd()
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
    t.regex(String(first?.['warning']), /Fencing is off/);
    t.deepEqual(last, { result: 'done' });
    t.regex(paper.read(), /stonith-enabled" value="false"/);
  },
);
