import test from 'ava';
import { deviceNumberOf } from '../../../src/host/devices/devices.js';
import { parseMountinfo, unescapeOctal } from '../../../src/host/reading/mounts.js';

test('parses mountinfo: optional fields, octal escapes', (t) => {
  const text = `36 35 98:0 / /mnt/with\\040blank rw,noatime master:1 shared:7 - ext4 /dev/ubda rw,errors=continue
37 35 0:52 /sub /mnt/bind rw - btrfs /dev/vg0/vol\\134one rw
`;
  t.deepEqual(parseMountinfo(text), [
    {
      deviceNumber: '98:0',
      root: '/',
      mountpoint: '/mnt/with blank',
      type: 'ext4',
      source: '/dev/ubda',
      options: 'rw,noatime',
      superOptions: 'rw,errors=continue',
    },
    {
      deviceNumber: '0:52',
      root: '/sub',
      mountpoint: '/mnt/bind',
      type: 'btrfs',
      source: '/dev/vg0/vol\\one',
      options: 'rw',
      superOptions: 'rw',
    },
  ]);
});

test('octal escapes of bytes that belong together are one letter', (t) => {
  t.is(unescapeOctal('/srv/B\\303\\274ro\\040\\342\\202\\254'), '/srv/Büro €');
  t.is(unescapeOctal('/srv/a\\134040b'), '/srv/a\\040b');
});

test('device numbers beyond eight bits', (t) => {
  t.is(deviceNumberOf(0xfd03), '253:3');
  t.is(deviceNumberOf(0x10_01_05), '1:261');
});
