import test from 'ava';
import { deviceNumberOf, devicePath, parseMountinfo } from '../../../src/host/reading/mounts.js';

test('parses mountinfo: optional fields, octal escapes', (t) => {
  const text = `36 35 98:0 / /mnt/with\\040blank rw,noatime master:1 shared:7 - ext4 /dev/ubda rw,errors=continue
37 35 0:52 /sub /mnt/bind rw - btrfs /dev/vg0/vol\\134one rw
`;
  t.deepEqual(parseMountinfo(text), [
    {
      deviceNumber: '98:0',
      mountpoint: '/mnt/with blank',
      type: 'ext4',
      source: '/dev/ubda',
      superOptions: 'rw,errors=continue',
    },
    {
      deviceNumber: '0:52',
      mountpoint: '/mnt/bind',
      type: 'btrfs',
      source: '/dev/vg0/vol\\one',
      superOptions: 'rw',
    },
  ]);
});

test('UUID=, LABEL= and PARTUUID= are found where udev keeps them', (t) => {
  t.is(devicePath('UUID=0a-1'), '/dev/disk/by-uuid/0a-1');
  t.is(devicePath('LABEL=vol1'), '/dev/disk/by-label/vol1');
  t.is(devicePath('/dev/vg0/vol1'), '/dev/vg0/vol1');
});

test('device numbers beyond eight bits', (t) => {
  t.is(deviceNumberOf(0xfd03), '253:3');
  t.is(deviceNumberOf(0x10_01_05), '1:261');
});
