// That nothing can be asked for, or be answered, that no page explains. Looked for in the pages as they are committed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { Command } from 'commander';
import { buildProgram } from '../../src/cli/program.js';
import { loadConfig } from '../../src/config/load-config.js';
import { parseConfig } from '../../src/config/parse-config.js';
import { environmentTexts } from '../../src/environment.js';
import { errorCodes } from '../../src/error-codes.js';
import { exitCodes, FailoverError } from '../../src/errors.js';
import { drivers } from '../../src/lockmanager/drivers.js';
import { dateOf } from '../../src/man/changelog.js';
import { releaseSteps, publishedOrder, stepTitles } from '../../src/step-names.js';
import { version } from '../../src/version.js';
import { sample } from '../config/sample.js';
import { shown } from '../helpers/man-examples.js';

const command = readFileSync('man/nlm-failover.8', 'utf8');
const file = readFileSync('man/nlm-failover.toml.5', 'utf8');
const recovery = readFileSync('man/nlm-failover-recovery.7', 'utf8');

/** The section of a page with this title. */
function section(page: string, title: string): string {
  const [, from = ''] = page.split(`\n.SH "${title}"\n`);
  return from.split('\n.SH ')[0] ?? '';
}

/** What is explained there: the term, and whether text follows. */
function terms(part: string): Map<string, string> {
  const found = [...part.matchAll(/^\.TP\n(.*)\n(.*)/gm)];
  return new Map(found.map(([, term = '', text = '']) => [shown(term), shown(text)]));
}

function explains(part: string, term: string): boolean {
  return (terms(part).get(term) ?? '') !== '';
}

const quiet = { out: () => undefined, err: () => undefined, clearLine: () => undefined, isTerminal: false };
const program = buildProgram(quiet, () => undefined);

function visibleOf(of: Command): readonly string[] {
  const help = of.createHelp();
  return help.visibleOptions(of).map((option) => help.optionTerm(option));
}

test('every option of every command is in nlm-failover(8)', (t) => {
  const commands = program.commands.filter((one) =>
    program.createHelp().visibleCommands(program).includes(one),
  );
  t.true(commands.length >= 8);
  const common = section(command, 'OPTIONS');
  for (const one of commands) {
    const start = command
      .split('\n')
      .findIndex((line) => shown(line).startsWith(`.SS "${program.name()} ${one.name()} `));
    t.true(start > 0, `${one.name()} is not in the page`);
    const [own = ''] = command
      .split('\n')
      .slice(start + 1)
      .join('\n')
      .split(/^\.S[HS] /m);
    for (const option of visibleOf(one))
      t.true(explains(own, option) || explains(common, option), `${one.name()} ${option}`);
  }
  for (const option of visibleOf(program)) t.true(explains(common, option), option);
});

/** The keys that a table of the file knows, as the refusal of an unknown one lists them; tables among them. */
function knownKeys(text: string): string[] {
  try {
    parseConfig(text, { file: 'f.toml', hostname: 'a', drivers });
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    const [, list = ''] =
      /qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq = 1: unknown key; known here, nearest first: (.*)$/m.exec(
        error.message,
      ) ?? [];
    return list.split(', ');
  }
  throw new Error('an unknown key was accepted');
}

const unknown = 'qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq = 1';
const headers: readonly (readonly [title: string, text: string, tables: readonly string[]])[] = [
  [
    'At the top',
    `${unknown}\n${sample}`,
    ['state', 'lock_manager', 'timeouts', 'hooks', 'fencing', 'shared_filesystem', 'floating_ip'],
  ],
  ...['[state]', '[lock_manager]'].map(
    (header) => [header, sample.replace(header, `${header}\n${unknown}`), []] as const,
  ),
  ...['[timeouts]', '[hooks]', '[fencing]'].map(
    (header) => [header, `${sample}\n${header}\n${unknown}`, []] as const,
  ),
  ['[[shared_filesystem]]', `${sample}\n[[shared_filesystem]]\n${unknown}`, []] as const,
  ...['[[floating_ip]]', '[[floating_ip.filesystem]]', '[[floating_ip.filesystem.export]]'].map(
    (header) => [header, sample.replace(header, `${header}\n${unknown}`), ['filesystem', 'export']] as const,
  ),
];

for (const [title, text, tables] of headers) {
  test(`every key is in nlm-failover.toml(5), with what holds without it: ${title}`, (t) => {
    const [, from = ''] = section(file, 'KEYS').split(`.SS "${title}"\n`);
    const [part = ''] = from.split('\n.SS ');
    const keys = knownKeys(text).filter((key) => !tables.includes(key));
    t.true(keys.length > 0);
    t.deepEqual([...terms(part).keys()].toSorted(), keys.toSorted());
    for (const key of keys) {
      const [, about = ''] = part.split(`.TP\n\\fB${key.replaceAll('-', '\\-')}\\fR\n`);
      const [own = ''] = about.split('\n.TP');
      t.regex(shown(own), /^\S[^]*\n\.IP\nValue: \S[^]*(?:Default: \S|Required\.)/, key);
    }
  });
}

test('every exit code, error code and variable of the environment is in nlm-failover(8)', (t) => {
  for (const [title, names] of [
    ['EXIT STATUS', Object.values(exitCodes).map(String)],
    ['ERRORS', Object.keys(errorCodes)],
    ['ENVIRONMENT', Object.keys(environmentTexts)],
  ] as const)
    t.deepEqual([...terms(section(command, title)).keys()].toSorted(), names.toSorted());
});

test('--help has every exit code and variable of the environment', (t) => {
  let help = '';
  buildProgram({ ...quiet, out: (text) => (help += text) }, () => undefined).outputHelp();
  for (const term of [...Object.values(exitCodes).map(String), ...Object.keys(environmentTexts)])
    t.regex(help, new RegExp(`^  ${term} +\\S`, 'm'));
});

test('every step is in the plans of nlm-failover(8), with its title', (t) => {
  const byHand = section(command, 'BY HAND').split('\n').map(shown);
  for (const step of [...releaseSteps, ...publishedOrder])
    t.true(byHand.includes(`${step}  ${stepTitles[step]}`), step);
});

test('every error code of the table is used, and no variable of the environment is that is not in it', (t) => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const source = files
    .filter((name) => name !== 'error-codes.ts' && name !== 'environment.ts')
    .map((name) => readFileSync(path.join('src', name), 'utf8'))
    .join('\n');
  for (const code of Object.keys(errorCodes))
    t.true(source.includes(`'${code}'`), `${code} is nowhere thrown`);
  const used = `${source}\n${readFileSync('callouts/ha-callout', 'utf8')}`.match(/\bNLM_[A-Z_]+\b/g) ?? [];
  for (const name of used) t.true(Object.hasOwn(environmentTexts, name), name);
});

test('the file in nlm-failover.toml(5) is accepted as it stands, on both nodes', async (t) => {
  const [, from = ''] = section(file, 'EXAMPLE').split('.nf\n');
  const [lines = ''] = from.split('\n.fi');
  const text = lines
    .split('\n')
    .map((line) => (line === '.sp' ? '' : shown(line)))
    .join('\n');
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-page-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const written = path.join(directory, 'nlm-failover.toml');
  writeFileSync(written, text);
  for (const hostname of ['nfs-a', 'nfs-b']) {
    const config = await loadConfig({ file: written, hostname, drivers });
    t.is(config.node, hostname);
    t.deepEqual(
      config.floatingIps.map(({ address, filesystems }) => [
        address,
        filesystems.map((one) => one.exports.length),
      ]),
      [
        ['10.10.1.1', [1]],
        ['fd00:10::2', [2]],
      ],
    );
    t.is(config.timeouts.steps['A-4'], 600);
  }
});

test("the pages have the day of the CHANGELOG's heading of this version", (t) => {
  const date = dateOf(version, readFileSync('CHANGELOG.md', 'utf8'));
  for (const page of [command, file, recovery])
    t.regex(page, new RegExp(`^\\.TH "[^"]+" "[578]" "${date}" `, 'm'));
  t.is(dateOf('1.2.3', '# Changelog\n\n## 1.2.4 - 2027-01-01\n\n## 1.2.3 - 2026-12-31\n'), '2026-12-31');
  t.is(dateOf('1.2.3', '## 1.2.3 - unreleased, 2026-12-30\n'), '2026-12-30');
  t.throws(() => dateOf('1.2.3', '## 1.2.3 - unreleased\n\n## 1.2.4 - 2026-12-31\n'), { message: /1\.2\.3/ });
});

const groff = spawnSync('groff', ['--version']).error === undefined ? test : test.skip;

for (const [name, page] of [
  ['nlm-failover.8', command],
  ['nlm-failover.toml.5', file],
  ['nlm-failover-recovery.7', recovery],
] as const) {
  groff(`groff has no warnings: ${name}`, (t) => {
    const { stderr, status } = spawnSync('groff', ['-man', '-ww', '-Tutf8'], {
      input: page,
      encoding: 'utf8',
    });
    t.is(stderr, '');
    t.is(status, 0);
  });
}
