// What is read of a ganesha.conf, and what of it would cost clients their locks.
import test from 'ava';
import type { Filesystem } from '../../../src/config/config.js';
import { coreParam, gracePeriodOf } from '../../../src/lockmanager/ganesha/conf.js';
import { settingsAmiss } from '../../../src/lockmanager/ganesha/settings.js';

test('Grace_Period is read where it is said, and nowhere else', (t) => {
  t.is(gracePeriodOf('NFSv4 { Lease_Lifetime = 5; Grace_Period = 45; }'), 45);
  t.is(gracePeriodOf('nfsv4\n{\n # Grace_Period = 3;\n grace_period=60;\n}'), 60);
  t.is(gracePeriodOf('NFS_Core_Param { Grace_Period = 9; }'), undefined);
  t.is(gracePeriodOf(''), undefined);
});

test('a parameter of the server: a list whole, the last where it stands twice', (t) => {
  const text = 'NFS_CORE_PARAM { NFS_Protocols = 3, 4 ; NLM_Port=4045; } nfs_core_param { nlm_port = 4046; }';
  t.is(coreParam(text, 'NFS_Protocols'), '3, 4');
  t.is(coreParam(text, 'NLM_Port'), '4046');
  t.is(coreParam(text, 'MNT_Port'), undefined);
});

const sound = 'NFSv4 { Grace_Period = 45; }\n';
const rows: readonly (readonly [what: string, text: string | undefined, says?: RegExp, isNote?: boolean])[] =
  [
    ['all is well', sound],
    ['versions by their names', `${sound}NFS_Core_Param { NFS_Protocols = NFSv4,NFSv3; Enable_NLM = on; }`],
    ['no such file', undefined, /There is no \/g\.conf \(ganesha_conf\): 90 s/, true],
    ['no length of a grace', 'NFSv4 { }', /No Grace_Period is in the block NFSv4 of \/g\.conf/, true],
    ['no version 3', `${sound}NFS_Core_Param { NFS_Protocols = 4; }`, /does not serve NFSv3/, false],
    ['no NLM', `${sound}nfs_core_param { enable_nlm = No; }`, /Enable_NLM in \/g\.conf is off/, false],
    ['no grace', `${sound}NFSv4 { Graceless = true; }`, /^Graceless in \/g\.conf is on/, false],
    ['names', `${sound}NFS_Core_Param { NSM_Use_Caller_Name = true; }`, /recorded by the names/, true],
    [
      'an export that moves',
      `${sound}EXPORT { Export_Id = 7; Path = /srv/a; }`,
      /Export_Id 7 \(\/srv\/a\)/,
      true,
    ],
    ['an export that stays', `${sound}EXPORT { Export_Id = 8; Path = /srv/b; }`],
  ];
for (const [what, text, says, isNote] of rows) {
  test(`ganesha.conf: ${what}`, (t) => {
    const filesystems = [{ exportId: 7 } as unknown as Filesystem];
    const found = settingsAmiss({ file: '/g.conf', text, isGraceSaid: false, moving: filesystems });
    t.is(found.length, says === undefined ? 0 : 1);
    for (const one of found) {
      t.regex(one.message, says ?? /never/);
      t.is(one.isNote === true, isNote === true);
    }
    const said = settingsAmiss({ file: '/g.conf', text, isGraceSaid: true, moving: filesystems });
    t.is(said.length, found.length - (/90 s/.test(found[0]?.message ?? '') ? 1 : 0));
  });
}
