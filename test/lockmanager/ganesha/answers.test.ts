// What NFS-Ganesha and busctl say, as recorded from NFS-Ganesha 4.3 with systemd 252, and in the shapes of other versions.
import test from 'ava';
import { realHost } from '../../../src/host/real.js';
import type { Argv, CommandResult, Host } from '../../../src/host/host.js';
import { ask, callArgv, faultOf } from '../../../src/lockmanager/ganesha/bus.js';
import {
  askGrace,
  exportCall,
  exportsOf,
  getGrace,
  graceFor,
} from '../../../src/lockmanager/ganesha/methods.js';

/** A host on which busctl gives these answers, one after another. */
function answering(...answers: readonly Partial<CommandResult>[]): { host: Host; asked: Argv[] } {
  const asked: Argv[] = [];
  const run = async (argv: Argv): Promise<CommandResult> => {
    asked.push(argv);
    return { exitCode: 0, stdout: '', stderr: '', ...answers[asked.length - 1] };
  };
  return { host: { ...realHost, run }, asked };
}

const says = (stdout: string) => ({ stdout: `${stdout}\n` });
const fails = (stderr: string) => ({ exitCode: 1, stderr: `${stderr}\n` });
const hasOwner = (owned: boolean) => says(`{"type":"b","data":[${owned}]}`);

const flags =
  '[["NFSv3",false],["MNT",false],["NMLv4",false],["RQUOTA",false],["NFSv40",false],["NFSv41",false],["NFSv42",false],["9P",false]]';

test('a grace is asked for with the number of its event, and its end is not', (t) => {
  t.deepEqual(callArgv(undefined, graceFor('fd00::1')).slice(-3), ['grace', 's', '5:fd00::1']);
  t.is(callArgv('unix:path=/run/bus', getGrace)[1], '--address=unix:path=/run/bus');
});

test('get_grace: only its first word tells', async (t) => {
  const grace = (data: string) =>
    askGrace({ host: answering(says(`{"type":"bbs","data":${data}}`)).host, address: undefined });
  t.true(await grace('[true,true,"get grace success"]'));
  t.false(await grace('[false,true,"get grace success"]'));
});

test('ShowExports: id and path, whatever else a version has in a row', async (t) => {
  const show = async (rows: string) =>
    exportsOf({
      host: answering(says(`{"type":"(tt)a(qs...)","data":[[1795815082,453942048],[${rows}]]}`)).host,
      address: undefined,
    });
  const own = `[0,"/",${flags},[0,0]]`;
  t.deepEqual(await show(own), []);
  t.deepEqual(await show(`${own},[1,"/srv/vol1",${flags},[0,0]]`), [{ id: 1, path: '/srv/vol1' }]);
  // NFS-Ganesha 3 has the flags as plain booleans, 2 has fewer of them.
  t.deepEqual(await show('[1,"/srv/a b",false,true,false,[0,0]],[65535,"/",true]'), [
    { id: 1, path: '/srv/a b' },
    { id: 65_535, path: '/' },
  ]);
});

const faults: readonly (readonly [string, string])[] = [
  ['Failed to connect to bus: No such file or directory', 'busless'],
  ['Failed to set bus address: Invalid argument', 'busless'],
  ['Call failed: Access denied', 'denied'],
  ['Call failed: Rejected send message, 1 matched rules; type="method_call", sender=":1.5"', 'denied'],
  ['Call failed: Connection timed out', 'silent'],
  ['Call failed: Did not receive a reply. Possible causes include: the reply timeout expired', 'silent'],
  ['Call failed: lookup_export failed with Export id not found', 'refused'],
  [
    'Call failed: 0 export entries in /run/e1.conf added because (invalid param value) errors. Details:\nConfig File (/run/e1.conf:1): 1 validation errors in block EXPORT',
    'refused',
  ],
];
for (const [said, kind] of faults) {
  test(`busctl says: ${said.split('\n')[0] ?? ''}`, (t) => {
    const fault = faultOf(said);
    t.is(fault.kind, kind as typeof fault.kind);
    t.notRegex(fault.said, /\n|^Call failed/);
  });
}

test('an error of a call is nobody’s where nobody has the name', async (t) => {
  const error = fails('Call failed: The name org.ganesha.nfsd was not provided by any .service files');
  const gone = answering(error, hasOwner(false));
  t.like(await ask({ host: gone.host, address: undefined }, getGrace), { fault: { kind: 'absent' } });
  t.deepEqual(gone.asked[1]?.slice(-3), ['NameHasOwner', 's', 'org.ganesha.nfsd']);
  const there = answering(fails('Call failed: Selected entries in /x already active!!!'), hasOwner(true));
  t.like(await ask({ host: there.host, address: undefined }, exportCall('AddExport', '/x', 1)), {
    fault: { kind: 'refused', said: 'Selected entries in /x already active!!!' },
  });
});

test('who has just not answered is not asked again at once', async (t) => {
  const { host, asked } = answering(fails('Call failed: Connection timed out'));
  const bus = { host, address: undefined };
  for (let question = 0; question < 3; question += 1)
    t.like(await ask(bus, getGrace), { fault: { kind: 'silent' } });
  t.is(asked.length, 1);
});

test('what is no JSON is refused, with what is needed', async (t) => {
  const bus = { host: answering(says('bbs true true "get grace success"')).host, address: undefined };
  const error = await t.throwsAsync(ask(bus, getGrace), { message: /printed what cannot be read/ });
  t.like(error, { code: 'COMMAND_FAILED' });
});
