// A volume that any client may fill, with the record on it: a real ext4 of 16 MB without blocks for root, full to the last one.
// Neither release nor the takeover of a node that is to be fenced must need anybody who makes space.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { projectRoot } from '../lab/project-root.js';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';

const address = '127.77.16.1';
const early = '127.77.16.21';
const late = '127.77.16.22';
const asRoot = process.getuid?.() === 0 ? test : test.skip;

/** Everything in one mount namespace, so that nothing of the volume is left when its process ends. */
const prelude = `
set -eu
site=$1 node=$2 tool=$3 callout=$4; shift 4
image=$site/image; volume=$site/disks/vol1
truncate -s 16M "$image"; mkfs.ext4 -q -F -m 0 -b 1024 "$image"
mount -o loop "$image" "$volume"; mkdir -p -m 755 "$volume/state"
on() {
  who=$1; shift
  echo "== $who $1"
  rc=0; NLM_FAILOVER_REHEARSAL=$site/$who NLM_FAILOVER_CONFIG=$site/$who/etc/nlm-failover.toml "$node" "$tool" "$@" 2>&1 || rc=$?
  echo "== rc $rc"
}
event() { NLM_FAILOVER_RUN=$site/A/run/nlm-failover "$callout" "$1" "$2" A || echo "callout: $?"; }
fill() {
  dd if=/dev/zero of="$volume/filler.$1" bs=64k 2>/dev/null || :
  sync -f "$volume"
  while dd if=/dev/zero bs=1k count=1 >>"$volume/filler.$1" 2>/dev/null; do :; done
  sync -f "$volume"
}
take='--no-wait --notify-deadline 1'
on A takeover ${address} $take
event add-client ${early}
on A status
event add-client ${late}
fill 1
`;

interface Said {
  readonly who: string;
  readonly command: string;
  readonly rc: number;
  readonly text: string;
}

function onFullVolume(t: ExecutionContext, site: RehearsalSite, script: string): Said[] {
  const root = projectRoot();
  const args = [
    site.directory,
    process.execPath,
    path.join(root, 'bin/nlm-failover'),
    path.join(root, 'callouts/ha-callout'),
  ];
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-m', '--', 'sh', '-c', prelude + script, 'sh', ...args],
    {
      encoding: 'utf8',
      env: { ...process.env, NLM_FAILOVER_RUN: undefined },
    },
  );
  t.is(status, 0, stdout + stderr);
  t.log(stdout);
  return [...stdout.matchAll(/^== (?<who>[AB]) (?<command>\S+)\n(?<text>[^]*?)^== rc (?<rc>\d+)$/gmu)].map(
    ({ groups }) => ({
      who: groups?.['who'] ?? '',
      command: groups?.['command'] ?? '',
      rc: Number(groups?.['rc']),
      text: groups?.['text'] ?? '',
    }),
  );
}

function makeSite(t: ExecutionContext, stateDirectory = '/mnt/vol1/.nlm'): RehearsalSite {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory });
  t.teardown(() => site.remove());
  return site;
}

asRoot('release, and takeover on the other node; status and clients answer meanwhile', (t) => {
  t.timeout(300_000);
  const said = onFullVolume(
    t,
    makeSite(t),
    `
on A status
on A clients ${address}
on A release ${address}
on B takeover ${address} $take
on B status
on B release ${address}
on A takeover ${address} $take
`,
  );
  const [, , full, clients, release, takeover, after, again, back] = said;
  t.is(full?.rc, 1);
  t.regex(
    full?.text ?? '',
    /record +CANNOT BE WRITTEN: .*no space is left[^]*owner +A, epoch 1[^]*clients +2 recorded/u,
  );
  t.is(clients?.rc, 0);
  t.regex(clients?.text ?? '', new RegExp(`${early}[^]*${late}`, 'u'));
  t.is(release?.rc, 0, release?.text);
  t.is(takeover?.rc, 5, takeover?.text);
  t.regex(takeover?.text ?? '', /0 of 2 clients notified/u);
  t.regex(after?.text ?? '', /owner +B, epoch 2/u);
  t.is(again?.rc, 0, again?.text);
  t.is(back?.rc, 5, back?.text);
});

asRoot('the fenced takeover of a node that crashed, and once more', (t) => {
  t.timeout(300_000);
  const said = onFullVolume(
    t,
    makeSite(t),
    `
on B takeover --fenced ${address} $take
fill 2
on A takeover --fenced ${address} $take
on A release ${address}
`,
  );
  const [, , taken, back, release] = said;
  t.is(taken?.rc, 5, taken?.text);
  t.regex(taken?.text ?? '', /epoch 2, after A, which had not released it[^]*0 of 2 clients notified/u);
  t.is(back?.rc, 5, back?.text);
  t.is(release?.rc, 0, release?.text);
});

asRoot(
  'a client that fills the volume again as soon as there is space: between two failovers nothing is missing',
  (t) => {
    t.timeout(300_000);
    const said = onFullVolume(
      t,
      makeSite(t),
      `
for to in B A B; do
  from=A; [ $to = A ] && from=B
  on $from release ${address}
  on $to takeover ${address} $take
  fill $to
done
`,
    );
    for (const { who, command, rc, text } of said.slice(2))
      t.is(rc, command === 'release' ? 0 : 5, `${who} ${command}: ${text}`);
    t.is(said.length, 8);
  },
);

asRoot('the record on shared storage that is full', (t) => {
  t.timeout(300_000);
  const site = makeSite(t, '/shared_storage');
  mkdirSync(path.join(site.directory, 'disks/vol1/state'), { recursive: true });
  for (const node of [site.a, site.b])
    node.link('/shared_storage', path.join(site.directory, 'disks/vol1/state'));
  const said = onFullVolume(
    t,
    site,
    `
on A release ${address}
on B takeover ${address} $take
on A takeover --fenced ${address} $take
`,
  );
  t.deepEqual(
    said.slice(2).map(({ rc }) => rc),
    [0, 5, 5],
    JSON.stringify(said),
  );
});

asRoot('a record that is lost on a full volume is made anew', (t) => {
  t.timeout(300_000);
  const said = onFullVolume(
    t,
    makeSite(t),
    `
: >"$volume/.nlm/sm_${address}/monitors.db"
fill 2
on A rebuild ${address}
on A release ${address}
`,
  );
  t.deepEqual(
    said.slice(2).map(({ rc }) => rc),
    [0, 0],
    JSON.stringify(said),
  );
});

asRoot(
  'clients who fill the volume while they are notified: the others are notified all the same, and it is said',
  (t) => {
    t.timeout(300_000);
    const client = path.join(import.meta.dirname, '../demo/loopback-client.js');
    const said = onFullVolume(
      t,
      makeSite(t),
      `
on A release ${address}
on B takeover ${address} --no-wait --steps B-1,B-2,B-5,B-4
fill 2
state=$(dirname "$(find "$volume" -name reserve.failover)")
(
  # They take what B-3 is given of the reserve, and only then they answer.
  while [ -e "$state/reserve.failover" ]; do sleep 0.1; done
  fill 3
  fill 4
  exec "$node" --input-type=module -e "const { startLoopbackClient } = await import('${client}');
    for (const client of ['${early}', '${late}']) await startLoopbackClient(client, 1, () => undefined)"
) &
answers=$!
on B takeover ${address} --no-wait --notify-deadline 120
kill $answers
`,
    );
    const [, , , prepared, taken] = said;
    t.is(prepared?.rc, 0, prepared?.text);
    t.is(taken?.rc, 0, taken?.text);
    t.regex(
      taken?.text ?? '',
      /2 of 2 clients notified[^]*no space to write down [12] clients? that (?:was|were) notified/u,
    );
  },
);
