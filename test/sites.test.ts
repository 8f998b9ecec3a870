// Which site each scenario of the lab runs on: test/lab/sites.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { drawSites, pairsOf } from './lab/sites/draw.js';
import { LabSite } from './lab/sites/lab-site.js';
import { kernelsOf, scenarios, traitsOf } from './lab/sites/scenarios.js';
import { defaultSite, isServed, traitNames, traits } from './lab/sites/traits.js';

const titles = Object.keys(scenarios);
const sites = titles.map((title) => traitsOf(title));

test('one run of the lab has every value of every trait, and most pairs of them', (t) => {
  for (const name of traitNames)
    t.deepEqual([...new Set(sites.map((site) => site[name]))].toSorted(), traits[name].toSorted(), name);
  const all = traitNames.flatMap((one, index) =>
    traitNames.slice(index + 1).map((other) => traits[one].length * traits[other].length),
  );
  const pairs = all.reduce((sum, count) => sum + count, 0);
  const met = new Set(sites.flatMap(pairsOf)).size;
  t.log(`${met} of ${pairs} pairs of values`);
  t.true(met >= pairs * 0.85, `${met} of ${pairs}`);
});

test('one run of the lab has every kernel on either server and on the clients', (t) => {
  for (const guest of ['A', 'B', 'C'] as const) {
    const seen = new Set(titles.map((title) => kernelsOf(title)[guest] ?? 'testing'));
    t.deepEqual([...seen].toSorted(), ['stable', 'system', 'testing'], guest);
  }
});

test('the default site is the README’s configuration', (t) => {
  const readme = readFileSync(path.resolve(import.meta.dirname, '../../README.md'), 'utf8');
  const [, text = ''] = /```toml\n(.*?)```/su.exec(readme) ?? [];
  const site = new LabSite();
  t.deepEqual(site.clientSpecifications(), [/^ +clients = "(.*)"$/mu.exec(text)?.[1] ?? '']);
  t.is(site.exportOptions(), /^ +options = "(.*)"$/mu.exec(text)?.[1] ?? '');
  t.deepEqual(new Set(text.match(/(?<=type = ")\w+/gu)), new Set([site.traits.type]));
  t.regex(text, /mountpoint = "(\S+)\/vol1"[^[]*\[{2}[^[]*path = "\1\/vol1\/data"/u);
  t.true(site.exportPath('vol1').endsWith('/vol1/data'));
  t.regex(text, /state_directory = "(\S+)"[^[]*\[{2}floating_ip.filesystem\]{2}[^[]*mountpoint = "\1"/u);
  // With multiple mount protection, says setup's own test.
  t.regex(readme, /nlm-failover setup --state-device \S+state1/u);
  t.is(site.traits.state, 'protected');
});

test('each scenario gets a site that it can do with, the first one the README’s', (t) => {
  t.is(titles[0]?.startsWith('planned failover:'), true);
  t.deepEqual(sites[0], defaultSite);
  for (const [index, title] of titles.entries()) {
    const site = sites[index] ?? defaultSite;
    t.true(isServed(site), title);
    for (const name of traitNames) {
      const limit: readonly string[] | undefined = scenarios[title]?.[name];
      t.true(limit?.includes(site[name]) ?? true, `${title}: ${name} ${site[name]}`);
    }
  }
});

test('every title of the list is that of a scenario of test/lab', (t) => {
  const lab = path.resolve(import.meta.dirname, '../../test/lab');
  const sources = readdirSync(lab)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(path.join(lab, name), 'utf8'))
    .join('\n');
  // Some titles have a word that stands in a variable.
  const missing = titles.filter(
    (title) => !sources.includes(title.split(/lockd-netns|lockd/u).at(-1) ?? title),
  );
  t.deepEqual(missing, []);
});

test('another scenario changes the sites of those after it alone, and the same ones draw the same', (t) => {
  const some = { one: {}, two: {}, three: {} };
  t.deepEqual(drawSites(some), drawSites(some));
  const more = drawSites({ ...some, four: {} });
  for (const [title, site] of drawSites(some)) t.deepEqual(more.get(title), site);
  t.throws(() => drawSites({ one: {}, two: { state: ['exported'], type: ['xfs'] } }), {
    message: 'no site for "two"',
  });
});
