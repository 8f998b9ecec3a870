// EXPORT blocks: the one that is made, what cannot be said in one, and what is read of files of others.
import test from 'ava';
import type { Export, Filesystem } from '../../../src/config/config.js';
import { blockLacks, blockText, readOwnBlock } from '../../../src/lockmanager/ganesha/block.js';

const one = (clients: string, options: string, path = '/srv/vol1'): Export => ({ path, clients, options });
function filesystem(...exports: readonly Export[]): Filesystem {
  return {
    fsid: '1',
    exportId: 7,
    device: '/dev/vol1',
    mountpoint: '/srv/vol1',
    type: 'ext4',
    options: '',
    exports,
  };
}

test('a block has a CLIENT for each table, and says what exports(5) takes for granted', (t) => {
  const made = blockText(
    filesystem(
      one('10.0.0.0/24', 'rw,no_root_squash,no_subtree_check'),
      one('[fd00::]/64', 'insecure,all_squash,anonuid=1000,anongid=100,sec=krb5:krb5i'),
    ),
    7,
  );
  t.is(
    made,
    'EXPORT { Export_Id = 7; Path = "/srv/vol1"; Pseudo = "/srv/vol1"; Protocols = 3; Access_Type = None; FSAL { Name = VFS; } ' +
      'CLIENT { Clients = 10.0.0.0/24; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; PrivilegedPort = true; } ' +
      'CLIENT { Clients = fd00::/64; Access_Type = RO; Squash = All_Squash; SecType = krb5, krb5i; PrivilegedPort = false; Anonymous_Uid = 1000; Anonymous_Gid = 100; } }',
  );
  t.deepEqual(readOwnBlock(made, 7), { id: 7, path: '/srv/vol1', fsal: 'VFS' });
});

test('what NFS-Ganesha has no words for is named, unless the block is the administrator’s', (t) => {
  const odd = filesystem(one('10.0.0.0/255.255.255.0', 'rw,refer=/a@b'));
  t.deepEqual(
    blockLacks(odd).map((reason) => reason.split(':')[0]),
    [
      'NFS-Ganesha has nothing for "refer=/a@b" of /srv/vol1',
      'NFS-Ganesha does not take the clients "10.0.0.0/255.255.255.0"',
    ],
  );
  t.deepEqual(blockLacks({ ...odd, exportBlock: '/etc/own.conf' }), []);
  t.regex(blockLacks(filesystem(one('*', ''), one('*', '', '/srv/vol1/b')))[0] ?? '', /2 paths exported/);
  for (const clients of ['*', '@group', '*.example.com', '10.0.0.1', '[fd00::1]', '10.0.0.0/24', 'host1'])
    t.deepEqual(blockLacks(filesystem(one(clients, 'rw,sync'))), [], clients);
});

test('a block of the administrator’s: of several the one with that id, whatever the case', (t) => {
  const text = `# EXPORT { Export_Id = 7; Path = /no; }
    export { export_id = 3; path = "/three"; fsal { name = GLUSTER; volume = "a}b"; } }
    EXPORT
    { Path = /seven; CLIENT { Clients = *; } Export_Id = 7; FSAL { Name = VFS; } }`;
  t.deepEqual(readOwnBlock(text.replace('a}b', 'ab'), 7), { id: 7, path: '/seven', fsal: 'VFS' });
  t.like(readOwnBlock(text.replace('a}b', 'ab'), 3), { path: '/three', fsal: 'GLUSTER' });
  t.deepEqual(readOwnBlock('nothing', 1), { id: undefined, path: undefined, fsal: undefined });
});
