import type { FloatingIp } from '../../config/config.js';
import { limitOf } from '../../failover/limits.js';
import { within } from '../../host/running/deadline.js';
import { refuseUnits, refuseWithoutAgents } from './ahead.js';
import { applyConfig } from './apply.js';
import { askCib, readCib } from './cluster.js';
import { createText } from './commands.js';
import type { Format } from './formats.js';
import { type PartChange, section } from './cib/merge.js';
import type { ClusterConfig } from './model.js';
import { planCluster, type PlanNode } from './plan.js';
import { fencingRemarks, preferRemarks, type Remark, stillRemarks } from './remarks.js';
import { removeText, stopSeconds, tearDown } from './teardown.js';
import { withId } from './cib/xml.js';

export interface PacemakerRequest {
  readonly floatingIps: readonly FloatingIp[];
  readonly format: Format;
  /** Whether it is done, and not printed. */
  readonly apply: boolean;
  readonly teardown: boolean;
  readonly prefer: string | undefined;
}

/** What is said of it, in this order: remarks, then the text or each part, then the end. */
export interface PacemakerReport {
  remark(remark: Remark): void;
  /** What a person is to run. */
  text(text: string, config: ClusterConfig): void;
  part(part: PartChange): void;
  /** A teardown waits until this is stopped, for so many seconds at the longest. */
  stopping(id: string, places: readonly string[], seconds: number): void;
  end(parts: readonly PartChange[]): void;
}

/** pcs takes about a second for each of its commands, and several on a busy node. */
const secondsEach = 60;

/** Prints the cluster's configuration for these addresses, or its end, or sees to it. Throws FailoverError. */
export async function runPacemaker(
  node: PlanNode,
  request: PacemakerRequest,
  report: PacemakerReport,
): Promise<void> {
  const { host, config } = node;
  const { floatingIps, format, apply, teardown, prefer } = request;
  const limit = limitOf('pacemaker', config);
  const cib = await within(limit, () => (apply ? readCib(host) : askCib(host)));
  const resources = cib === undefined ? undefined : section(cib, 'resources');
  const plan = await within(limit, () =>
    planCluster(node, {
      floatingIps,
      prefer,
      isThere: (id) => resources !== undefined && withId(resources, id) !== undefined,
    }),
  );
  if (!teardown) {
    await within(limit, () => refuseUnits(host, floatingIps));
    const ids = plan.config.resources.map(({ id }) => id);
    const here = cib === undefined ? [] : preferRemarks(cib, prefer);
    const still = cib === undefined || !apply ? [] : stillRemarks(cib, ids);
    for (const remark of [...fencingRemarks(cib), ...plan.remarks, ...here, ...still]) report.remark(remark);
  }
  if (!apply) {
    report.text(teardown ? removeText(plan.config, format) : createText(plan.config, format), plan.config);
    return;
  }
  const stops = new Map(plan.config.resources.map((resource) => [resource.id, stopSeconds(resource)]));
  const parts = teardown
    ? await within(limited(limit, sumOf(stops.values())), () =>
        tearDown(host, floatingIps, {
          limit: (id) => stops.get(id) ?? 0,
          stopping: (...words) => report.stopping(...words),
        }),
      )
    : await applied(node, plan.config, request, limit);
  for (const part of parts) report.part(part);
  report.end(parts);
}

async function applied(
  { host }: PlanNode,
  config: ClusterConfig,
  { format }: PacemakerRequest,
  limit: ReturnType<typeof limitOf>,
): Promise<readonly PartChange[]> {
  refuseWithoutAgents(config);
  const count = config.resources.length + config.orders.length + config.preferences.length;
  return within(limited(limit, count * secondsEach), () => applyConfig(host, config, format));
}

function limited(limit: ReturnType<typeof limitOf>, more: number): ReturnType<typeof limitOf> {
  return { ...limit, seconds: limit.seconds + more };
}

function sumOf(numbers: Iterable<number>): number {
  return [...numbers].reduce((sum, one) => sum + one, 0);
}
