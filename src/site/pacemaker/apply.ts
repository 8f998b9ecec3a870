import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { exitCodes, FailoverError } from '../../errors.js';
import { runOrFail } from '../../host/action.js';
import type { Host } from '../../host/host.js';
import { patchCib, readCib, withFiles } from './cluster.js';
import { crmText, pcsCommands, pcsPush } from './commands.js';
import type { Format } from './formats.js';
import { merge, type PartChange } from './cib/merge.js';
import type { ClusterConfig } from './model.js';
import type { Element } from './cib/xml.js';

/**
 * Makes the cluster have this, at once, and proves that it has. pcs and crm make what is not there; what is there and otherwise is changed
 * with cibadmin, whichever is asked for, since both would forget what people have added to it. Returns what became of each part. Throws
 * CLUSTER_UNFIT, CLUSTER_SILENT, COMMAND_FAILED, NOT_VERIFIED.
 */
export async function applyConfig(
  host: Host,
  config: ClusterConfig,
  format: Format,
): Promise<readonly PartChange[]> {
  const cib = await readCib(host);
  const { cib: next, parts } = merge(cib, config);
  const states = new Set(parts.map(({ state }) => state));
  if (states.has('updated') || states.has('removed') || (states.has('created') && format === 'xml'))
    await patchCib(host, cib, next);
  else if (states.has('created')) await create(host, cib, missingOf(config, parts), format);
  if (states.size === 1 && states.has('unchanged')) return parts;
  expectMerged(await readCib(host), config);
  return parts;
}

/** What of it is not there yet. */
export function missingOf(config: ClusterConfig, parts: readonly PartChange[]): ClusterConfig {
  const missing = new Set(parts.filter(({ state }) => state === 'created').map(({ id }) => id));
  const only = <T extends { readonly id: string }>(all: readonly T[]) =>
    all.filter(({ id }) => missing.has(id));
  return {
    resources: only(config.resources),
    preferences: only(config.preferences),
    orders: only(config.orders),
    ties: only(config.ties),
    gone: [],
  };
}

async function create(
  host: Host,
  cib: Element,
  config: ClusterConfig,
  format: 'pcs' | 'crm' | 'xml',
): Promise<void> {
  await withFiles(cib, cib, async (before, after, directory) => {
    if (format === 'crm') {
      const file = path.join(directory, 'load.crm');
      writeFileSync(file, crmText(config));
      await runOrFail(host, ['crm', 'configure', 'load', 'update', file]);
      return;
    }
    for (const argv of pcsCommands(config, after)) await runOrFail(host, argv);
    await runOrFail(host, pcsPush(after, before));
  });
}

function expectMerged(cib: Element, config: ClusterConfig): void {
  const left = merge(cib, config).parts.filter(({ state }) => state !== 'unchanged');
  if (left.length === 0) return;
  throw new FailoverError(
    `The cluster does not have what was written: ${left.flatMap(({ id, state, details }) => [`${id} ${state === 'created' ? 'is not there' : state === 'removed' ? 'is there still' : details.join('; ')}`]).join('; ')}`,
    {
      code: 'NOT_VERIFIED',
      exitCode: exitCodes.stepFailed,
      operation: 'asking the cluster',
      hint: 'Somebody may have changed it meanwhile: see "cibadmin --query", and run the same command again.',
    },
  );
}
