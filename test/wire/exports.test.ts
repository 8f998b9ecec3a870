// B-5 and A-2 with the real exportfs, whose words for a client are not those of the configuration.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type ExportEntry, parseEtab } from '../../src/host/reading/exports.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { askInside } from '../helpers/inside.js';
import type { Acted, ExportArgument } from './act.js';
import { netnsTest as test } from './netns-test.js';

const names = `127.0.0.1 localhost
10.0.0.5 real.example.com alias1 Alias2
fd00::5 six.example.com six
10.0.0.6 other.example.com
`;
const mountpoint = '/run/volume';
const device = '/dev/volume';

/** A host with a volume on /run/volume, and names of its own. */
class Exporter {
  readonly #netns: Netns;

  constructor(netns: Netns) {
    this.#netns = netns;
  }

  run(command: string, ...args: string[]): Promise<string> {
    return this.#netns.run(command, ...args);
  }

  write(file: string, text: string): void {
    writeFileSync(this.#netns.path(file), text);
  }

  async acts(...actions: readonly (readonly ['export' | 'unexport', ExportArgument])[]): Promise<Acted[]> {
    const acted: Acted[] = [];
    for (const [action, wanted] of actions) acted.push(await this.act(action, wanted));
    return acted;
  }

  act(action: 'export' | 'unexport', wanted: ExportArgument): Promise<Acted> {
    const script = join(import.meta.dirname, 'act.js');
    return askInside<Acted>(this.#netns, script, `${action} ${JSON.stringify(wanted)}`);
  }

  async etab(): Promise<ExportEntry[]> {
    return parseEtab(await this.#netns.run('cat', '/var/lib/nfs/etab'));
  }

  /** As the host sees names from now on. */
  resolves(text: string): void {
    this.write('/run/hosts', text);
  }
}

async function exporter(t: ExecutionContext): Promise<Exporter> {
  t.timeout(120_000);
  const host = new Exporter(await withNetns(t));
  host.resolves(names);
  host.write('/run/nsswitch.conf', 'hosts: files\n');
  host.write('/run/exports', '');
  for (const file of ['hosts', 'nsswitch.conf', 'exports'])
    await host.run('mount', '--bind', `/run/${file}`, `/etc/${file}`);
  await host.run('mkdir', mountpoint);
  await host.run('mount', '-t', 'tmpfs', device, mountpoint);
  return host;
}

function argument(clients: string, over: Partial<ExportArgument['one']> = {}, fsid = '1234'): ExportArgument {
  const one = { path: mountpoint, clients, options: 'rw,no_subtree_check', ...over };
  return { one, filesystem: { fsid, device, mountpoint, exports: [one] } };
}

/** Each exported, seen as exported, unexported, seen as that. Returns what exportfs made of each. */
async function thereAndBack(
  t: ExecutionContext,
  host: Exporter,
  ...all: readonly ExportArgument[]
): Promise<(ExportEntry | undefined)[]> {
  const turns = ['export', 'export', 'unexport', 'unexport'] as const;
  const acted = await host.acts(...all.flatMap((wanted) => turns.map((turn) => [turn, wanted] as const)));
  return all.map(({ one }, index) => {
    const title = `${one.clients} ${one.options}`;
    const four = acted.slice(index * turns.length, (index + 1) * turns.length);
    t.deepEqual(
      four.map(({ already, error, undone, etab }) => ({ already, error, undone, exports: etab?.length })),
      [false, true, false, true].map((already, turn) => ({
        already,
        error: undefined,
        undone: undefined,
        exports: turn < 2 ? 1 : 0,
      })),
      title,
    );
    t.deepEqual(four[0]?.etab, four[1]?.etab, title);
    return four[0]?.etab?.[0];
  });
}

test('clients as exportfs spells them: there once, gone once', async (t) => {
  const host = await exporter(t);
  const spellings = [
    ['alias1', 'real.example.com'],
    ['ALIAS2', 'real.example.com'],
    ['six', 'six.example.com'],
    ['10.0.0.5', '10.0.0.5'],
    ['[fd00::7]', 'fd00::7'],
    ['[fd00::]/64', 'fd00::/64'],
    ['10.1.0.0/255.255.0.0', '10.1.0.0/255.255.0.0'],
    ['@trusted', '@trusted'],
    ['node[0-9].example.com', 'node[0-9].example.com'],
    ['*', '*'],
    ['gss/krb5', 'gss/krb5'],
  ] as const;
  const made = await thereAndBack(t, host, ...spellings.map(([clients]) => argument(clients)));
  t.deepEqual(
    made.map((entry) => entry?.clients),
    spellings.map(([, spelt]) => spelt),
  );
});

test('options and an fsid that exportfs spells otherwise: exported once', async (t) => {
  const host = await exporter(t);
  const spelt = ['rw,no_auth_nlm', 'nohide,insecure_locks', 'sec=krb5:sys,no_acl', '', 'auth_nlm,ro'];
  await thereAndBack(
    t,
    host,
    ...spelt.map((options) => argument('*', { options })),
    // etab has it as a number with a sign.
    argument('*', {}, '3000000000'),
    argument('alias1', {}, '6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10'),
  );
});

test('what exportfs made of a client is forgotten, as in a reboot: A-2 takes it away all the same', async (t) => {
  const host = await exporter(t);
  for (const clients of ['alias1', 'Alias2', 'six', '[fd00::]/64']) {
    const wanted = argument(clients);
    const [, gone] = await host.acts(['export', wanted], ['unexport', { ...wanted, forgetful: true }]);
    t.like(gone, { already: false, etab: [] }, clients);
  }
});

test('A-2 takes one export of a path away, and leaves the other ones of it', async (t) => {
  const host = await exporter(t);
  const [alias, network] = [argument('alias1'), argument('[fd00::]/64')];
  const both = { ...alias.filesystem, exports: [alias.one, network.one] };
  const exports = [alias, network].map(({ one }) => ['export', { one, filesystem: both }] as const);
  await host.acts(...exports);
  await host.run('exportfs', '-i', '-o', 'rw', `10.9.9.9:${mountpoint}`);
  await host.act('unexport', { one: alias.one, filesystem: both });
  t.deepEqual((await host.etab()).map(({ clients }) => clients).toSorted(), ['10.9.9.9', 'fd00::/64']);
});

test('A-2 takes away what else of the file system carries its fsid, on a path that is configured no more', async (t) => {
  const host = await exporter(t);
  await host.run('mkdir', ...['old', 'kept'].map((name) => `${mountpoint}/${name}`), '/run/volume2');
  const old = argument('alias1', { path: `${mountpoint}/old` });
  const kept = argument('alias1', { path: `${mountpoint}/kept` });
  const wanted = argument('*');
  const filesystem = { ...wanted.filesystem, exports: [wanted.one, kept.one] };
  await host.acts(['export', wanted], ['export', old], ['export', kept]);
  await host.run('exportfs', '-i', '-o', 'rw,fsid=77', `10.9.9.9:${mountpoint}/old`);
  await host.run('exportfs', '-i', '-o', 'rw,fsid=1234', '10.9.9.9:/run/volume2');
  const [gone] = await host.acts(['unexport', { one: wanted.one, filesystem }]);
  t.is(gone?.error, undefined);
  const left = (await host.etab()).map(({ path, clients }) => `${path} ${clients}`).toSorted();
  t.deepEqual(
    left,
    ['/run/volume2 10.9.9.9', '/run/volume/kept real.example.com', '/run/volume/old 10.9.9.9'].toSorted(),
  );
});

test('a path that leads over a link on the volume', async (t) => {
  const host = await exporter(t);
  await host.run('mkdir', `${mountpoint}/data`);
  await host.run('ln', '-s', 'data', `${mountpoint}/link`);
  const wanted = argument('alias1', { path: `${mountpoint}/link` });
  t.is((await host.act('export', wanted)).error, undefined);
  // Whatever it writes the table for next.
  await host.run('exportfs', '-i', '-o', 'rw,fsid=7', '10.9.9.9:/run');
  t.is((await host.act('export', wanted)).error, undefined);
  t.is((await host.act('unexport', wanted)).error, undefined);
  t.deepEqual(
    (await host.etab()).map(({ path }) => path),
    ['/run'],
  );
});

test('what /etc/exports says of the same path and client is not mixed in', async (t) => {
  const host = await exporter(t);
  host.write(
    '/run/exports',
    `${mountpoint} real.example.com(async,insecure,all_squash) nosuch.example.com(ro)\n`,
  );
  const [made] = await thereAndBack(t, host, argument('alias1'));
  t.deepEqual(
    made?.options.filter((option) => ['async', 'insecure', 'all_squash'].includes(option)),
    [],
  );
});

test('a client that cannot be resolved is left undone and named; later it is exported', async (t) => {
  const host = await exporter(t);
  const left = await host.act('export', argument('nosuch.example.com'));
  t.is(left.error, undefined);
  t.is(left.undone?.length, 1);
  t.regex(
    left.undone?.[0] ?? '',
    /^\/run\/volume is not exported to nosuch\.example\.com, a name that cannot be resolved \(.*exportfs: Failed to resolve nosuch/,
  );
  t.is((await host.act('export', argument('*'))).undone, undefined);
  host.resolves(`${names}10.0.0.9 nosuch.example.com\n`);
  const again = ['export', argument('nosuch.example.com')] as const;
  const [first, second] = await host.acts(again, again);
  t.like(first, { already: false, undone: undefined });
  t.like(second, { already: true });
});

test('what exportfs will not do is an error still', async (t) => {
  const host = await exporter(t);
  t.regex((await host.act('export', argument('*', { options: 'rv' }))).error ?? '', /unknown keyword "rv"/);
  await host.act('export', argument('*'));
  t.regex((await host.act('export', argument('*', { options: 'rv' }))).error ?? '', /unknown keyword "rv"/);
});

test('the name service is down: A-2 goes by etab, and whose exports exportfs dropped is named', async (t) => {
  const host = await exporter(t);
  await host.run('mkdir', '/run/theirs');
  const mine = argument('alias1');
  await host.act('export', mine);
  await host.run('exportfs', '-i', '-o', 'rw,fsid=99', 'other.example.com:/run/theirs');
  host.resolves('');
  const gone = await host.act('unexport', mine);
  t.is(gone.error, undefined);
  t.regex(gone.remark ?? '', /exportfs said: .*Could not find 'real.example.com:\/run\/volume'/);
  t.deepEqual(gone.undone, [
    'exportfs could not resolve other.example.com, and has dropped the export of /run/theirs to it from /var/lib/nfs/etab',
  ]);
  t.deepEqual(await host.etab(), []);
});

test('a path that lies on another file system than its fsid says is not exported', async (t) => {
  const host = await exporter(t);
  await host.run('mkdir', '-p', '/run/elsewhere/deep', `${mountpoint}/data`, `${mountpoint}/nested/deep`);
  await host.run('ln', '-s', '/run/elsewhere', `${mountpoint}/out`);
  await host.run('ln', '-s', 'data', `${mountpoint}/in`);
  await host.run('mount', '-t', 'tmpfs', '/dev/second', `${mountpoint}/nested`);
  await host.run('mkdir', `${mountpoint}/nested/deep`, `${mountpoint}/again`);
  await host.run('mount', '--bind', `${mountpoint}/data`, `${mountpoint}/again`);
  const at = (...paths: readonly string[]) =>
    host.acts(...paths.map((path) => ['export', argument('*', { path: `${mountpoint}/${path}` })] as const));
  const refused = await at('nested', 'nested/deep', 'out', 'out/deep', 'missing');
  const sentences = [
    /\/dev\/second is mounted on \/run\/volume\/nested/,
    /it carries fsid 1234, .*\/dev\/second is mounted/,
    /leads to \/run\/elsewhere, on tmpfs/,
    /leads to \/run\/elsewhere\/deep, on tmpfs/,
    /there is no such directory on \/dev\/volume/,
  ];
  for (const [index, sentence] of sentences.entries()) t.regex(refused[index]?.error ?? '', sentence);
  t.deepEqual(refused.at(-1)?.etab, []);
  const accepted = await at('data', 'in', 'again');
  t.deepEqual(
    accepted.map(({ error }) => error),
    [undefined, undefined, undefined],
  );
});
