import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { exitCodes } from '../../errors.js';
import type { HaStatus, LastGrace } from '../../site/ganesha-ha/status.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions } from '../options.js';
import { printable } from '../text/printable.js';
import { table } from '../text/table.js';
import {
  addClusterOptions,
  type ClusterOptions,
  jsonReport,
  nodeName,
  openPlanNode,
  textReport,
} from './cluster-command.js';

interface GaneshaHaOptions extends ClusterOptions {
  readonly unit?: string;
}

const verbs = ['setup', 'teardown', 'add', 'delete', 'refresh', 'status'] as const;

/** nlm-failover ganesha-ha: the cluster of the nodes that export shared file systems. */
export function addGaneshaHa(
  program: Command,
  io: Io,
  drivers: LoadDrivers,
  exit: (code: number) => void,
): void {
  const command = program
    .command('ganesha-ha')
    .summary('a Pacemaker cluster of nodes that export shared file systems with NFS-Ganesha')
    .description(
      'Print what a Pacemaker cluster needs for [[shared_filesystem]]: a clone that watches NFS-Ganesha on every node; each floating IP with a home, which it leaves where NFS-Ganesha is not well, and comes back to. ' +
        'SHARED FILE SYSTEMS in nlm-failover(8) carries through it. Without --apply nothing is done, and but for `status` neither root nor a cluster is needed.\n\n' +
        '`setup`: all of it; `teardown`: the way back, every address is released; `refresh`: what the configuration says otherwise by now; `add`, `delete`: the same for one node; ' +
        '`status`: each node with what the cluster has there, whether it answers that it looks for calls into grace, and when it entered one last; ends with 1 where something is wrong.\n\n' +
        'Warns where fencing is off; that stops nothing (exit code 0). Which nodes a takeover waits for is what `nodes` says in the configuration of every node, which nobody can see from here.',
    )
    .addArgument(new Argument('<verb>', 'what is to be done').choices(verbs))
    .addArgument(
      new Argument('[node]', 'of add and delete: a node, by its name in the cluster').argParser(nodeName),
    );
  addClusterOptions(command).addOption(
    new Option(
      '--unit <unit>',
      'the systemd unit by which the cluster starts and stops NFS-Ganesha, such as nfs-ganesha.service (default: others do, and it only looks)',
    ).argParser(unitName),
  );
  addCommonOptions(command).action(
    async (verb: (typeof verbs)[number], name: string | undefined, options: GaneshaHaOptions) => {
      const takesNode = verb === 'add' || verb === 'delete';
      if (takesNode !== (name !== undefined))
        command.error(`error: ${verb} ${takesNode ? 'needs the name of a node' : 'takes no node'}`);
      const { requireRoot } = await import('../require-root.js');
      const { format, apply = false, unit } = options;
      const json = options.json === true;
      if (verb === 'status') {
        const { haStatus } = await import('../../site/ganesha-ha/status.js');
        const node = await openPlanNode(drivers, options);
        requireRoot(node.host);
        const status = await haStatus(node);
        io.out(json ? statusJson(status) : statusText(status));
        exit(status.wrong.length === 0 ? exitCodes.done : exitCodes.stepFailed);
        return;
      }
      const { runGaneshaHa } = await import('../../site/ganesha-ha/run.js');
      const node = await openPlanNode(drivers, options);
      if (apply) requireRoot(node.host);
      await runGaneshaHa(
        node,
        { verb, name, format, apply, unit },
        json ? jsonReport(io, format) : textReport(io, `ganesha-ha ${verb}`),
      );
    },
  );
}

/** As the agent takes it (callouts/ocf/ganesha). */
function unitName(text: string): string {
  if (/^[\w:.@\\][\w:.@\\-]*$/.test(text)) return text;
  throw new InvalidArgumentError('It takes the name of a systemd unit, such as nfs-ganesha.service.');
}

function statusText({ nodes, wrong }: HaStatus): string {
  const rows = nodes.map(({ node, cluster, isWell, watches, lastGrace, addresses }) => [
    node,
    cluster,
    isWell ? 'well' : 'NOT WELL',
    watches === undefined ? 'not asked' : watches ? 'answers' : 'NO ANSWER',
    lastGrace === undefined ? 'never called' : graceText(lastGrace),
    addresses.join(', ') || 'none',
  ]);
  const head = ['node', 'cluster', 'NFS-Ganesha', 'join-grace', 'last called into grace', 'addresses'];
  return table(head, rows) + wrong.map((one) => `WRONG  ${printable(one)}\n`).join('');
}

function graceText({ address, state, said, at }: LastGrace): string {
  const words = {
    called: 'entering it',
    joined: 'entered it',
    'in-grace': 'entered it, and not ready',
    failed: 'DID NOT ENTER IT',
  };
  return `${words[state]}, for ${address}, ${new Date(at).toISOString()}${said === '' ? '' : ` (${said})`}`;
}

function statusJson({ nodes, wrong }: HaStatus): string {
  const lines = nodes.map(({ lastGrace = null, watches = null, ...node }) => ({
    ...node,
    watches,
    lastGrace: lastGrace && { ...lastGrace, at: new Date(lastGrace.at).toISOString() },
  }));
  return [...lines, { wrong }].map((line) => `${JSON.stringify(line)}\n`).join('');
}
