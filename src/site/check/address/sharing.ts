import type { FloatingIp } from '../../../config/config.js';
import { whyTooShort } from '../../../ctdb/grace.js';
import { lastLooked } from '../../../ctdb/local.js';
import { filterHere } from '../../../ctdb/refusal.js';
import { barrierOf } from '../../../ctdb/serve.js';
import { FailoverError } from '../../../errors.js';
import { recordLocation } from '../../../failover/access/location.js';
import { whyUnheard } from '../../../failover/sharing/heard.js';
import { glusterSeconds } from '../../../host/gluster-options.js';
import type { Host } from '../../../host/host.js';
import { answeringNodes, type GraceAnswer, readAnswer } from '../../../record/barrier.js';
import { holdRecordDirectory } from '../../../record/safe-files/record-directory.js';
import {
  disablingText,
  isCtdbs,
  isEnabledScript,
  ownScripts,
  refusesFirst,
  scriptFile,
  stockScripts,
  stockText,
} from '../../ctdb/scripts.js';
import {
  type AddressSite,
  type Check,
  failure,
  type Finding,
  ofError,
  ofObstacle,
  ok,
  warning,
} from '../check.js';

const ping = 'network.ping-timeout';
const user = 'server.tcp-user-timeout';
/** What clients take to reclaim once they are notified (seen: 5 s), and some. */
const reclaimSeconds = 10;
/** From the death of a node until every other one is in grace, where a cluster manager fences it first (seen: more than 15 s). */
const fencedSeconds = 20;

/** That every node enters grace when it is called, and that the storage lets the locks of a dead node go in time. */
export const sharingCheck: Check<AddressSite> = {
  name: 'sharing',
  text: 'of what every node exports: `join-grace --watch` runs here and looks, how each other node answered when it was called last, also one that is not in `nodes` here, and, with `gluster_volume`, that network.ping-timeout is smaller than server.tcp-user-timeout, which leaves time to fence a node, and `barrier` and the grace longer; where CTDB moves the address, that `ctdb serve` runs here, the grace lasts long enough, and that CTDB runs the event scripts of nlm-failover, and none of its own for NFS, by what NLM is refused, and that a fence agent has the other nodes refuse before a node is fenced',
  look: async (site) => {
    const { ip, reader } = site;
    if (ip.shared === undefined) return [ok('nothing that another node exports too')];
    if (site.module.startsTogether === true && isCtdbs(reader.host, reader.run)) return together(site);
    const unheard = whyUnheard(reader.run, reader.config);
    return [
      unheard === undefined ? ok('this node answers when it is called into grace') : ofObstacle(unheard),
      ...answersOf(site, ip.shared.nodes),
      ...(await ofStorage(site, ip)),
    ];
  },
};

/** Where all nodes start their lock managers together. */
async function together({
  reader: { run, config, host, drivers },
  context,
}: AddressSite): Promise<Finding[]> {
  try {
    barrierOf(config, drivers);
  } catch (error) {
    return [ofError(error)];
  }
  const unserved = whyUnheard(run, config, true);
  const tooShort = whyTooShort(context.driver.graceSeconds(), config.timeouts.ctdb);
  const { wrong = [], remarks = [] } = lastLooked(run) ?? {};
  return [
    unserved === undefined ? ok('"nlm-failover ctdb serve" runs here') : ofObstacle(unserved),
    ...(tooShort === undefined
      ? []
      : [failure(tooShort, 'Raise /proc/sys/fs/nfs/nlm_grace_period, before the lock manager starts next.')]),
    ...ofScripts(host),
    await ofFilter(host),
    ofFencing(host),
    ...[...wrong, ...remarks].map((text) => warning(text, 'See "nlm-failover ctdb monitor".')),
  ];
}

/** Both, or neither, or half of ours: then nobody does what CTDB's events ask for, or two do. */
function ofScripts(host: Host): Finding[] {
  const setup = 'Have it so: nlm-failover setup --ctdb';
  const off = ownScripts.filter((name) => !isEnabledScript(host, name)).map(scriptFile);
  const on = stockScripts.filter((name) => isEnabledScript(host, name));
  return [
    ...on.map((name) => failure(stockText(name), `${disablingText(name)}; or: nlm-failover setup --ctdb`)),
    ...(off.length === 0
      ? []
      : [failure(`CTDB does not run ${off.join(', ')}: what moves is found late, or by nobody`, setup)]),
    ...(on.length + off.length === 0 ? [ok('CTDB runs the event scripts of nlm-failover alone')] : []),
  ];
}

/** What keeps everybody from the lock manager of this node while another one is without its locks. */
async function ofFilter(host: Host): Promise<Finding> {
  const filter = await filterHere(host);
  return filter instanceof FailoverError ? ofError(filter) : ok(`NLM is refused by ${filter.name}`);
}

/** The file system gives the locks of a dead node away when it is fenced, long before CTDB says a word. */
function ofFencing(host: Host): Finding {
  const who = refusesFirst(host);
  return who === undefined
    ? warning(
        'nothing has the other nodes refuse before a node that died is fenced: what its clients hold anybody may get, from when the file system lets its locks go until CTDB moves its addresses (seen with dlm: 26 s)',
        'Let what fences call fence_nlm_failover first, or "nlm-failover join-grace --all": CTDB in nlm-failover(8).',
      )
    : ok(`${who} has the other nodes refuse before a node is fenced`);
}

function answersOf(
  { ip, reader: { host, config }, standing }: AddressSite,
  nodes: readonly string[],
): Finding[] {
  if (standing.record === undefined) return [];
  const held = holdRecordDirectory(recordLocation(host, ip).directory, { create: false });
  if (held === undefined) return [];
  try {
    const { way } = held;
    return [
      ...nodes.filter((node) => node !== config.node).map((node) => ofAnswer(node, readAnswer(way, node))),
      ...answeringNodes(way)
        .filter((node) => !nodes.includes(node))
        .map((node) => strange(node, readAnswer(way, node))),
    ];
  } finally {
    held.close();
  }
}

function ofAnswer(node: string, answer: GraceAnswer | undefined): Finding {
  const hint = `See there: nlm-failover check. Its name must be that of "nodes", and "nlm-failover join-grace --watch" run.`;
  if (answer === undefined) return warning(`${node} has never answered a call into grace`, hint);
  const { state, said, at } = answer;
  const when = `at its last call, ${new Date(at).toISOString()}`;
  return state === 'joined'
    ? ok(`${node} was in grace ${when}`)
    : warning(`${node} was not ready ${when}: ${said}`, hint);
}

/** Whose configuration has it in `nodes`, and this one has not. */
function strange(node: string, answer: GraceAnswer | undefined): Finding {
  const when = answer === undefined ? '' : `, last at ${new Date(answer.at).toISOString()}`;
  return warning(
    `${node} has answered calls into grace${when}, and is not in "nodes" here: nobody waits for it, and it may give locks away`,
    `Write it into "nodes" on every node. Where it has been taken out for good, remove its file barrier.${node} beside the record.`,
  );
}

async function ofStorage(
  { reader: { host, config }, choice }: AddressSite,
  ip: FloatingIp,
): Promise<Finding[]> {
  const grace = choice instanceof FailoverError ? undefined : choice.driver.graceSeconds();
  const { barrier } = config.timeouts;
  const found: Finding[] = [];
  for (const { glusterVolume: volume } of ip.filesystems) {
    if (volume === undefined) continue;
    const said = await glusterSeconds(host, volume, [ping, user]);
    if ('silent' in said) {
      found.push(
        warning(
          `what the volume ${volume} has set could not be asked: ${said.silent}`,
          `Look on a node of it: gluster volume get ${volume} ${ping}; it must be smaller than ${user}.`,
        ),
      );
      continue;
    }
    const [pinged, gone] = [said.get(ping), said.get(user)];
    if (pinged === undefined || gone === undefined) {
      const unsaid = pinged === undefined ? ping : user;
      found.push(
        warning(
          `the volume ${volume} does not say its ${unsaid}`,
          `Set it: gluster volume set ${volume} ${unsaid} SECONDS; ${ping} smaller than ${user}.`,
        ),
      );
      continue;
    }
    const seconds = `${user} of ${volume} (${gone} s), until which the locks of a dead node stay`;
    if (pinged >= gone)
      found.push(
        failure(
          `${ping} of ${volume} (${pinged} s) is not smaller than ${user} (${gone} s): a lock call that is under way when a node dies may get what that node's clients hold`,
          `For example: gluster volume set ${volume} ${ping} 5; gluster volume set ${volume} ${user} 42.`,
        ),
      );
    if (barrier <= gone)
      found.push(
        failure(
          `[timeouts].barrier (${barrier} s) is not longer than ${seconds}: takeover goes on before, and who reclaims then is refused`,
          `Let barrier be ${gone + reclaimSeconds} or more, or ${user} smaller.`,
        ),
      );
    if (grace !== undefined && grace < gone + reclaimSeconds)
      found.push(
        warning(
          `a grace (${grace} s) is hardly longer than ${seconds}: a node that runs join-grace without --watch may be out of it before clients reclaim`,
          `Let Grace_Period be ${gone + reclaimSeconds} or more.`,
        ),
      );
    if (gone < fencedSeconds)
      found.push(
        warning(
          `${seconds}, may be over before that node is fenced and the others are in grace: what its clients hold anybody may get then`,
          `Let it be ${fencedSeconds} or more, and more than that takes here: gluster volume set ${volume} ${user} 42, which is its default.`,
        ),
      );
    if (found.length === 0) found.push(ok(`${volume}: locks of a dead node go after ${gone} s`));
  }
  return found;
}
