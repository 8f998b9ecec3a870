import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type DriverKey, ofString, settingOf, wholeNumber } from '../../../src/config/driver-settings.js';
import { readPath } from '../../../src/config/paths.js';
import { parseEtab } from '../../../src/host/reading/exports.js';
import { monitored } from '../../../src/host/reading/statd.js';
import { onSite } from '../../../src/lockmanager/kernel.js';
import type { DriverModule, Site } from '../../../src/lockmanager/module.js';
import type { LockManager, LockManagerAction } from '../../../src/lockmanager/port.js';

const ledgerWanted = 'an absolute path, such as "/ledger"';
const ledgerKey: DriverKey<string> = {
  name: 'ledger',
  wanted: ledgerWanted,
  text: 'the file in which it exports',
  default: '/etc/ledger',
  read: ofString(ledgerWanted, readPath),
};
const hourglassKey: DriverKey<number> = {
  name: 'hourglass',
  ...wholeNumber('whole seconds from 1 to 60', 1n, 60n),
  text: 'length of its grace period in seconds',
  default: 30,
};

/**
 * A lock manager that there is only in a test, as unlike the others as the port allows: its answers take a moment, it exports in a
 * ledger of its own, nobody can know what it has locked, and it is in files below the node's directory:
 * /paper-up (it runs), /paper-grace (its grace runs), /paper-log (what it was asked).
 */
export const paperModule: DriverModule = {
  name: 'paper',
  summary: 'desks',
  servesFrom: 'node',
  keys: [ledgerKey, hourglassKey],
  unsuited: ({ family }) => (family === 6 ? ['IPv6 does not fit on a line'] : []),
  lacks: async ({ host }) => (existsSync(host.path('/paper-up')) ? [] : ['no paper']),
  make: (site) => paper(site),
};

/** The same, but a lock manager that nobody starts anew: whom statd knows, it does not announce again. */
export const parchmentModule: DriverModule = {
  ...paperModule,
  name: 'parchment',
  make: (site) => ({ ...paper(site, '.parchment'), name: 'parchment', announcesAgain: false }),
};

function paper(site: Site, suffix = ''): LockManager {
  const { host, config } = site;
  const ledger = host.path(`${settingOf(config.lockManager, ledgerKey)}${suffix}`);
  const file = (name: string) => host.path(`/paper-${name}`);
  const exported = () => (existsSync(ledger) ? parseEtab(readFileSync(ledger, 'utf8')) : []);
  const write = (what: string): LockManagerAction => ({
    commands: [`paper ${what}`],
    check: () =>
      what === 'address' && existsSync(file('log')) && /^address$/m.test(readFileSync(file('log'), 'utf8')),
    act: async () => {
      writeFileSync(file('log'), `${what}\n`, { flag: 'a' });
      if (what === 'grace') writeFileSync(file('grace'), '');
      return undefined;
    },
    verify: () => undefined,
  });
  const strike = (path: string, clients: string, line: string): LockManagerAction => ({
    commands: [`paper ${line === '' ? 'strike' : 'enter'} ${clients}:${path}`],
    check: () => exported().some((one) => one.path === path) === (line !== ''),
    act: async () => {
      const others = (existsSync(ledger) ? readFileSync(ledger, 'utf8') : '')
        .split('\n')
        .filter((row) => row !== '' && !row.startsWith(`${path}\t`));
      writeFileSync(ledger, [...others, ...(line === '' ? [] : [line])].map((row) => `${row}\n`).join(''));
      return undefined;
    },
    verify: () => undefined,
  });
  return {
    ...onSite(site),
    name: 'paper',
    gracePerFsid: true,
    graceTakesLocksOf: 'fsid',
    graceTakesExports: false,
    announcesAgain: true,
    exports: {
      make: ({ path, clients, options }, { fsid }) =>
        strike(path, clients, `${path}\t${clients}(${options},fsid=${fsid})`),
      takeAway: ({ path, clients }) => strike(path, clients, ''),
      has: async ({ path }) =>
        delay(
          20,
          exported().some((one) => one.path === path),
        ),
      current: async () => delay(20, exported()),
    },
    dropLocks: ({ fsid }) => [write(`drop ${fsid}`)],
    beforeUnmount: () => [],
    beforeGrace: () => [],
    enterGrace: () => [write('grace')],
    afterAddressUp: () => [write('address')],
    endGrace: undefined,
    inGrace: async () => delay(20, existsSync(file('grace'))),
    isUp: async () => delay(20, existsSync(file('up'))),
    mend: () => [],
    calloutFault: async () => delay(20, undefined),
    statdRuns: () => true,
    graceSeconds: () => settingOf(config.lockManager, hourglassKey),
    heldLocksText: 'what nobody has written down',
    graceLeft: async () => undefined,
    heldLocks: async () => undefined,
    monitored: async () => delay(20, monitored(host)),
    health: async () => ({
      daemons: { paperd: existsSync(file('up')) ? 'running' : 'dead' },
      inGrace: existsSync(file('grace')),
      graceLeft: existsSync(file('grace')) ? 7 : 0,
      clients: 0,
      counts: { sheets: exported().length },
    }),
  };
}
