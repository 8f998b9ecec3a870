import test from 'ava';
import { findExport, parseEtab } from '../../../src/host/reading/exports.js';

const text = `/srv/vol1\t*(rw,sync,fsid=1234)
/srv/with\\040blank\tnfs1.example.com(ro,sec=sys)
/srv/vol1\t2001:db8::/64(rw)
`;

test('parses etab', (t) => {
  t.deepEqual(parseEtab(text)[0], { path: '/srv/vol1', clients: '*', options: ['rw', 'sync', 'fsid=1234'] });
  t.is(parseEtab(text)[1]?.path, '/srv/with blank');
});

test('finds an export by path and clients, a host also by its canonical name', (t) => {
  const entries = parseEtab(text);
  t.truthy(findExport(entries, '/srv/vol1', '*'));
  t.truthy(findExport(entries, '/srv/with blank', 'nfs1'));
  t.truthy(findExport(entries, '/srv/vol1', '2001:DB8::/64'));
  t.is(findExport(entries, '/srv/vol1', 'nfs1'), undefined);
  t.is(findExport(entries, '/srv', '*'), undefined);
});
