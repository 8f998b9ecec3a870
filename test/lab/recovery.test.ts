// What nlm-failover-recovery(7) says is typed here, line by line as it stands in the page, with the words of this site in the places of the
// example's: the lock survives both ways, from lockd to an instance and back. What is served by stock means comes under control before (adopt).
import { readFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { manExamples } from '../helpers/man-examples.js';
import type { Lab } from './lab.js';
import type { Shell } from './guest.js';
import { startRivalLoop } from './rival-loop.js';
import { assertSurvived, file, lockThrough, prepareServers, reclaimed, scenario } from './scenario.js';
import type { Server } from './server.js';
import { callout, mountpointOf, nlmFailover, tool } from './site.js';

const examples = manExamples(readFileSync('man/nlm-failover-recovery.7', 'utf8'));

/** The words of the example in nlm-failover.toml(5), and what this lab has for them; `other`: the node that the page looks at from here. */
function wordsOf({ disks, moving, site }: Lab, server: Server, other: Server): [RegExp, string][] {
  const [clients = '*'] = site.clientSpecifications();
  return [
    [/\/dev\/vg0\/state1\b/g, disks.state1.device],
    [
      /mount -t ext4 -o noatime \/dev\/vg0\/vol1\b/g,
      `mount -t ${site.traits.type} -o noatime ${disks.vol1.device}`,
    ],
    [/\/dev\/vg0\/vol1\b/g, disks.vol1.device],
    [/\/srv\/vol1\/data\b/g, site.exportPath('vol1')],
    [/\/srv\/vol1\b/g, site.mountpoint('vol1')],
    [/\/srv\/state1\b/g, mountpointOf('state1')],
    [/\b10\.10\.0\.0\/16\b/g, clients],
    [/\brw,no_subtree_check,fsid=1234\b/g, `${site.exportOptions()},fsid=${disks.vol1.uuid}`],
    [/\b10\.10\.1\.1\b/g, moving.address],
    [/\beth0\b/g, 'vec0'],
    [/\bsystemctl restart nfs-server\b/g, server.restartCommand.join(' ')],
    [/\/usr\/lib\/nlm-failover\/callouts\/ha-callout\b/g, callout],
    [/\bnfs-a\b/g, other.address],
    [/^nlm-failover /, `${tool} `],
  ];
}

/** An umount that finds the file system busy is typed again, as the page says. */
const retries = 20;

/** Types lines into a shell of the server, each by itself. A line that only asks, by grep, may be answered with nothing. */
async function type(
  t: ExecutionContext,
  shell: Shell,
  lines: readonly string[],
  words: readonly [RegExp, string][],
): Promise<string> {
  const ours = lines.map((line) =>
    words.reduce((text, [word, own]) => text.replaceAll(asGlobal(word), own), line),
  );
  const functions = ours.filter((line) => /^\w+\(\) \{/.test(line));
  let printed = '';
  for (const [at, line] of ours.entries()) {
    if (line.startsWith('#') || functions.includes(line)) continue;
    const script = [...functions, line].join('\n');
    const isUmount = line.startsWith('umount ');
    for (let attempt = 1; ; attempt += 1) {
      const { exitCode, stdout, stderr } = await shell.run(['bash', '-c', script], {
        reject: false,
        timeoutSeconds: 120,
      });
      printed += `${line}\n${stdout}${stderr}`;
      if (isUmount && exitCode !== 0 && attempt < retries) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        continue;
      }
      const mayFail = /\| grep |\barping\b|# where systemd runs/.test(line);
      // Here the volume is mounted, so the other answer is not to be had.
      const asksWhoLives = /^e2mmpstatus (?!-)/.test(line);
      if (asksWhoLives) t.regex(stdout + stderr, /currently active/);
      // A record that is sound is not rebuilt; and status may have something to say.
      const isWanted = line.includes(' rebuild ') ? exitCode === 1 : exitCode === 0;
      if (!mayFail && !asksWhoLives && !line.includes(' status '))
        t.true(isWanted, `${lines[at] ?? ''}\n${stdout}${stderr}`);
      break;
    }
  }
  return printed;
}

function asGlobal(word: RegExp): RegExp {
  return word.global ? word : new RegExp(word.source, 'gm');
}

/** What gives the address up, or wants its volumes unmounted. */
const isForTheEnd = (line: string) => line.includes(' release ') || /^(?:e2fsck|tune2fs) /.test(line);

const isTree = ({ section }: { readonly section: string }) => !/^BY HAND WITH|CTDB/.test(section);
const byHand = (what: 'release' | 'takeover', driver: string): readonly string[] => {
  const found = examples.find(
    ({ heading }) => heading.startsWith(`${what} `) && heading.endsWith(` with ${driver}`),
  );
  if (found === undefined) throw new Error(`the page has no ${what} with ${driver}`);
  return found.lines;
};

scenario(
  'typed by hand from nlm-failover-recovery(7), after adopt: lockd to an instance and back',
  async (t, lab) => {
    const { a, b, disks, moving, site } = lab;
    const { device, uuid } = disks.vol1;
    await prepareServers(lab, [moving], { driver: 'auto', failback: true });
    // What an export without fsid= hands out.
    for (const server of [a, b])
      await server.run('sed -i "s/fsid = 1234/fsid = \\"$1\\"/" /etc/nlm-failover.toml', { args: [uuid] });
    const [clients = '*'] = site.clientSpecifications();
    const stock = `set -e
    mkdir -p "$2"
    mount -t "$3" "$1" "$2"
    exportfs -o "$4" "$5:$6"
    ip addr add "$7/24" dev vec0
    busybox arping -q -A -c 1 -I vec0 "$7"`;
    const options = site.exportOptions();
    const place = [
      device,
      site.mountpoint('vol1'),
      site.traits.type,
      options,
      clients,
      site.exportPath('vol1'),
    ];
    await a.run(stock, { args: [...place, moving.address] });
    const locked = await lockThrough(lab, moving);
    const rivalLoop = await startRivalLoop(locked.rival, file);
    const held = async (server: Server) => (await server.nfsLocks(device)).length;
    t.is(await held(a), 1);

    const adopted = await a.run([tool, 'adopt', moving.address]);
    t.log(adopted.stdout);
    t.regex(adopted.stdout, /2 clients recorded|1 client recorded/);
    t.regex(adopted.stdout, /without fsid=; its file handles hold the UUID/);
    t.is(await held(a), 1, 'adopt dropped nothing');
    t.false(await locked.rival.tryLock(file), 'and began no grace, in which the rival would wait');

    // The questions, with the tool at hand; what gives the address up comes at the end.
    const words = wordsOf(lab, a, b);
    for (const { lines } of examples.filter(isTree)) {
      const isOfClient = lines.some((line) => line.includes('failed to reclaim'));
      await type(
        t,
        isOfClient ? locked.holder : a,
        lines.filter((line) => !isForTheEnd(line)),
        words,
      );
    }
    t.is(await held(a), 1);
    t.regex(await a.read('/var/lib/nfs/etab'), new RegExp(`fsid=${uuid}`), 'as the configuration says');
    t.is(
      await locked.holder.read('/mnt/nfs/data'),
      'written before',
      'the file handle is the same with fsid=UUID',
    );

    await type(t, a, byHand('release', 'lockd'), words);
    t.deepEqual(await a.nfsLocks(), []);
    t.log(await type(t, b, byHand('takeover', 'lockd-netns'), wordsOf(lab, b, a)));
    t.true(await reclaimed(b, device));
    await nlmFailover(b, ['adopt', moving.address]);
    await assertSurvived(t, lab, locked);

    await type(t, b, byHand('release', 'lockd-netns'), wordsOf(lab, b, a));
    t.deepEqual(await b.nfsLocks(), []);
    await type(t, a, byHand('takeover', 'lockd'), words);
    t.true(await reclaimed(a, device));
    await a.endGrace();
    t.false(await locked.rival.tryLock(file), 'the rival is refused');
    const { tries, stolen } = await rivalLoop.stop();
    t.is(stolen, 0);
    t.true(tries > 0);
    const last = examples.filter(isTree).flatMap(({ lines }) => lines.filter(isForTheEnd));
    const isRelease = (line: string) => line.includes(' release ');
    t.is(last.filter((line) => line.startsWith('e2fsck ')).length, 2);
    await type(t, a, last.filter(isRelease), words);
    t.deepEqual(await a.nfsLocks(), []);
    t.log(
      await type(
        t,
        a,
        last.filter((line) => !isRelease(line)),
        words,
      ),
    );
  },
);
