// Where the directory above statd's list is statd's (RHEL), statd can put a link to any directory of root's in its place: root
// would record the names there, in a journal that statd reads.
import { spawnSync } from 'node:child_process';
import { chownSync, lchownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runHere } from '../fault/site.js';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';

const address = '127.77.35.1';
const asRoot = process.getuid?.() === 0 ? test : test.skip;

/** A's list of monitored hosts, in a directory of statd's, and one of root's that nobody else may list. */
function lists(t: ExecutionContext): { site: RehearsalSite; sm: string; secret: string } {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const statd = site.a.path('/var/lib/nfs/statd');
  const sm = path.join(statd, 'sm');
  mkdirSync(sm, { recursive: true });
  const secret = path.join(site.directory, 'secret');
  mkdirSync(secret, { mode: 0o700 });
  writeFileSync(path.join(secret, 'the-name-of-a-customer'), '');
  for (const one of [statd, sm]) chownSync(one, 65534, 65534);
  return { site, sm, secret };
}

async function takenOver(
  t: ExecutionContext,
  site: RehearsalSite,
): Promise<{ said: string; clients: string }> {
  const taken = await runHere(site.directory, 'A', ['takeover', '--steps', 'B-1,B-2', address]);
  t.is(taken.exitCode, 0, taken.output);
  const { output } = await runHere(site.directory, 'A', ['clients', address]);
  return { said: taken.output, clients: output };
}

asRoot("a link of statd's is not followed, and that is said", async (t) => {
  const { site, sm, secret } = lists(t);
  rmSync(sm, { recursive: true });
  symlinkSync(secret, sm);
  lchownSync(sm, 65534, 65534);
  const { said, clients } = await takenOver(t, site);
  t.notRegex(clients, /customer/);
  t.regex(
    said,
    /statd\/sm is a symbolic link of uid 65534, or no directory: whom rpc\.statd monitors was not read/,
  );
});

asRoot('neither stops anything else that is there instead: a file, a FIFO', async (t) => {
  for (const program of ['touch', 'mkfifo']) {
    const { site, sm } = lists(t);
    rmSync(sm, { recursive: true });
    spawnSync(program, [sm]);
    chownSync(sm, 65534, 65534);
    t.regex((await takenOver(t, site)).said, /was not read/, program);
  }
});

asRoot("a link of root's is followed, and the list is read", async (t) => {
  const { site, sm, secret } = lists(t);
  rmSync(sm, { recursive: true });
  symlinkSync(secret, sm);
  t.regex((await takenOver(t, site)).clients, /the-name-of-a-customer/);
});

asRoot('what statd itself leaves out is no client: a directory, a link, a FIFO', async (t) => {
  const { site, sm, secret } = lists(t);
  mkdirSync(path.join(sm, 'a-directory'));
  symlinkSync(path.join(secret, 'the-name-of-a-customer'), path.join(sm, 'a-link'));
  spawnSync('mkfifo', [path.join(sm, 'a-fifo')]);
  // A name that is an address needs no line, and a file all the same.
  mkdirSync(path.join(sm, '192.0.2.71'));
  symlinkSync(path.join(secret, 'the-name-of-a-customer'), path.join(sm, '192.0.2.72'));
  spawnSync('mkfifo', [path.join(sm, '192.0.2.73')]);
  writeFileSync(path.join(sm, '192.0.2.79'), '');
  writeFileSync(path.join(sm, 'client.example.com'), '');
  const { clients } = await takenOver(t, site);
  t.regex(clients, /client\.example\.com/);
  t.regex(clients, /192\.0\.2\.79/);
  t.notRegex(clients, /a-(?:directory|link|fifo)|customer|192\.0\.2\.7[123]/);
});
