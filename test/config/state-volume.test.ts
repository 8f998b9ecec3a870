// Where the record may lie, as far as the configuration tells: never where a client with AUTH_SYS reaches it, unless the file says so.
import test from 'ava';
import { mountOrder } from '../../src/config/floating-ip.js';
import { parse, refusal, replaced, sample, secondFilesystem, secondFloatingIp } from './sample.js';

const place = 'state_directory = "/srv/state/.nlm"';
const options = 'options = "rw,no_subtree_check"';
const stateVolume = `
  [[floating_ip.filesystem]]
  device = "/dev/vg0/state1"
  mountpoint = "/srv/state"
  type = "ext4"
`;
const onVolume = replaced(sample, place, 'state_directory = "/srv/vol1/.nlm"');

test('a file system without exports that the state directory lies on carries the record, and needs no fsid', (t) => {
  const [ip] = parse(sample + stateVolume + secondFilesystem).floatingIps;
  t.deepEqual(ip?.stateVolume, {
    device: '/dev/vg0/state1',
    mountpoint: '/srv/state',
    type: 'ext4',
    options: '',
  });
  t.deepEqual(
    ip?.filesystems.map(({ mountpoint }) => mountpoint),
    ['/srv/vol1', '/srv/vol2'],
  );
});

const orders: Readonly<Record<string, readonly [text: string, first: string[], others: string[]]>> = {
  'a state volume that the file has last': [
    sample + secondFilesystem + stateVolume,
    ['/srv/state'],
    ['/srv/vol1', '/srv/vol2'],
  ],
  'shared storage': [sample + secondFilesystem, [], ['/srv/vol1', '/srv/vol2']],
  'the second of the exported volumes': [
    replaced(sample, place, 'state_directory = "/srv/vol2/.nlm"\ntrust_clients = true') + secondFilesystem,
    ['/srv/vol2'],
    ['/srv/vol1'],
  ],
  'an exported volume that is mounted below another one': [
    replaced(sample, place, 'state_directory = "/srv/vol1/deep/.nlm"\ntrust_clients = true') +
      replaced(secondFilesystem, '"/srv/vol2"', '"/srv/vol1/deep"'),
    ['/srv/vol1', '/srv/vol1/deep'],
    [],
  ],
};
for (const [what, [text, first, others]] of Object.entries(orders)) {
  test(`mounted first, whatever the order of the file: ${what}`, (t) => {
    const [ip] = parse(text).floatingIps;
    if (ip === undefined) return t.fail();
    const order = mountOrder(ip);
    t.deepEqual(
      [order.first, order.others].map((all) => all.map(({ mountpoint }) => mountpoint)),
      [first, others],
    );
  });
}

const exposed =
  'this lies on /srv/vol1, which is exported to clients with AUTH_SYS or an anonuid: each of them could erase the record. ' +
  'Write a directory on a file system without exports (a state volume), or trust_clients = true';
const own = `floating_ip[0].state_directory = "/srv/vol1/.nlm": ${exposed}`;
const reached: Readonly<Record<string, readonly [text: string, says: string[]]>> = {
  'on its own exported volume': [onVolume, [own]],
  'at its top': [
    replaced(sample, place, 'state_directory = "/srv/vol1"'),
    [`floating_ip[0].state_directory = "/srv/vol1": ${exposed}`],
  ],
  'beside what is exported of it': [
    replaced(onVolume, 'path = "/srv/vol1"', 'path = "/srv/vol1/data"'),
    [own],
  ],
  'beside it, with subtree_check': [replaced(onVolume, options, 'options = "rw,subtree_check"'), [own]],
  'exported for reading': [replaced(onVolume, options, 'options = "ro,all_squash"'), [own]],
  'AUTH_SYS as one of several': [replaced(onVolume, options, 'options = "rw,sec=krb5p:sys"'), [own]],
  'AUTH_SYS in a second sec=': [replaced(onVolume, options, 'options = "sec=krb5,rw,sec=sys,ro"'), [own]],
  'nobody at all has to say who he is': [replaced(onVolume, options, 'options = "sec=none"'), [own]],
  'Kerberos, and all are one user': [
    replaced(onVolume, options, 'options = "sec=krb5,all_squash,anonuid=103"'),
    [own],
  ],
  'a second export without options': [
    `${replaced(onVolume, options, 'options = "sec=krb5p"')}
    [[floating_ip.filesystem.export]]
    clients = "10.0.0.0/8"`,
    [own],
  ],
  'on the volume of another address': [
    sample +
      replaced(secondFloatingIp, 'interface = "eth0"', 'interface = "eth0"\nstate_directory = "/srv/vol1/x"'),
    [`floating_ip[1].state_directory = "/srv/vol1/x": ${exposed}`],
  ],
  'the directory of [state]': [
    replaced(replaced(sample, place, ''), '"/shared_storage"', '"/srv/vol1/all"'),
    [`state.directory = "/srv/vol1/all": ${exposed}`],
  ],
};
for (const [what, [text, says]] of Object.entries(reached)) {
  test(`refused: a record that clients can write to: ${what}`, (t) => {
    t.deepEqual(refusal(text), says);
    const trusting = text.replaceAll(/^address = .*$/gm, '$&\ntrust_clients = true');
    t.deepEqual(refusal(trusting), [], 'unless the clients are trusted');
  });
}

test('accepted: where nobody comes in but by Kerberos', (t) => {
  for (const flavors of ['krb5', 'krb5i:krb5p', 'krb5p', 'krb5,all_squash,anonuid=65534'])
    t.deepEqual(refusal(replaced(onVolume, options, `options = "rw,sec=${flavors}"`)), []);
});

test('accepted: a file system whose name only begins alike', (t) => {
  t.deepEqual(refusal(replaced(sample, place, 'state_directory = "/srv/vol10/.nlm"')), []);
});

test('refused: a file system without exports that carries no record', (t) => {
  const lost = replaced(stateVolume, '/srv/state', '/srv/elsewhere');
  t.deepEqual(refusal(sample + lost), [
    'floating_ip[0].filesystem[1].export is missing: write at least one table that begins with [[floating_ip.filesystem.export]], ' +
      'or let state_directory lie below its mount point: then it carries the record, and is never exported',
  ]);
});

test('refused: a state volume below another file system, of whatever address', (t) => {
  for (const [text, at] of [
    [sample + stateVolume, 1],
    [
      stateVolume.replace(/^/, sample.slice(0, sample.indexOf('  [['))) +
        sample.slice(sample.indexOf('  [[')),
      0,
    ],
  ] as const) {
    const nested = text.replaceAll('/srv/state', '/srv/vol1/state');
    t.deepEqual(refusal(nested), [
      `floating_ip[0].filesystem[${at}].mountpoint = "/srv/vol1/state": a state volume is mounted first, and this lies below /srv/vol1: write a mount point outside of it`,
    ]);
  }
});

test('refused: an fsid that is missing where something is exported', (t) => {
  t.deepEqual(refusal(replaced(sample, 'fsid = 1234', '')), [
    'floating_ip[0].filesystem[0].fsid is missing: write an integer from 1 to 4294967295, or a UUID in quotes',
  ]);
});

test('legacy_notify: none unless it is asked for, and no word', (t) => {
  const asked = (word: string) => replaced(sample, place, `${place}\nlegacy_notify = ${word}`);
  t.is(parse(asked('true')).floatingIps[0]?.legacyNotify, true);
  t.false('legacyNotify' in (parse(asked('false')).floatingIps[0] ?? {}));
  t.deepEqual(refusal(asked('"yes"')), [
    'floating_ip[0].legacy_notify = "yes": write true or false, without quotes',
  ]);
});

test('refused: a word for trust_clients', (t) => {
  t.deepEqual(refusal(replaced(sample, place, `${place}\ntrust_clients = "yes"`)), [
    'floating_ip[0].trust_clients = "yes": write true or false, without quotes',
  ]);
});
