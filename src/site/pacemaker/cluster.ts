import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exitCodes, FailoverError } from '../../errors.js';
import { failed, runOrFail, saidOf } from '../../host/action.js';
import type { Argv, CommandResult, Host } from '../../host/host.js';
import { isMissing } from '../../host/running/command.js';
import { type Element, parse, xmlText } from './cib/xml.js';

const query: Argv = ['cibadmin', '--query'];

/** The CIB of the cluster that this node is in; undefined where none answers, or is not for this user. */
export async function askCib(host: Host): Promise<Element | undefined> {
  const answer = await queried(host);
  return typeof answer !== 'string' && answer.exitCode === 0
    ? parse(answer.stdout, query.join(' '))
    : undefined;
}

/** The same. Throws CLUSTER_SILENT where none answers. */
export async function readCib(host: Host): Promise<Element> {
  const answer = await queried(host);
  const why = typeof answer === 'string' ? answer : answer.exitCode === 0 ? undefined : saidOf(answer);
  if (typeof answer !== 'string' && why === undefined) return parse(answer.stdout, query.join(' '));
  throw new FailoverError(`No cluster answers on this node: ${why ?? ''}`, {
    code: 'CLUSTER_SILENT',
    exitCode: exitCodes.stepFailed,
    operation: query.join(' '),
    hint: 'Run it on a node on which Pacemaker runs ("crm_mon -1"). Without --apply it prints what is to be run there.',
  });
}

async function queried(host: Host): Promise<CommandResult | string> {
  try {
    return await host.run(query, { short: true });
  } catch (error) {
    if (isMissing(error)) return 'cibadmin is not installed';
    throw error;
  }
}

/** Two files with a CIB as it is and as it is to be, for as long as they are used. */
export async function withFiles<T>(
  cib: Element,
  next: Element,
  use: (before: string, after: string, directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-cib-'));
  try {
    const [before, after] = ['before.xml', 'after.xml'].map((name) => path.join(directory, name));
    if (before === undefined || after === undefined) throw new TypeError('two names are two files');
    writeFileSync(before, xmlText(cib));
    writeFileSync(after, xmlText(next));
    return await use(before, after, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Brings into the cluster what differs, in one change, and nothing else: as pcs does (cib-push diff-against). What others have changed
 * elsewhere meanwhile stays; where they have changed the same, it fails.
 */
export async function patchCib(host: Host, cib: Element, next: Element): Promise<void> {
  await withFiles(cib, next, async (before, after, directory) => {
    const diff: Argv = ['crm_diff', '--original', before, '--new', after, '--no-version'];
    const made = await host.run(diff);
    // As diff(1): 1 where they differ.
    if (made.exitCode !== 1) throw failed(diff, made);
    const patch = path.join(directory, 'patch.xml');
    writeFileSync(patch, made.stdout);
    await runOrFail(
      host,
      ['cibadmin', '--patch', '--xml-file', patch],
      'Nothing was changed. Somebody may have changed the same meanwhile: run the same command again.',
    );
  });
}
