import type { FloatingIp } from '../../config/config.js';
import { limitOf } from '../../failover/limits.js';
import { within } from '../../host/running/deadline.js';
import { refuseUnits, refuseWithoutAgents } from './ahead.js';
import { applyConfig } from './apply.js';
import { askCib, readCib } from './cluster.js';
import { changesText } from './changes.js';
import { createText } from './commands.js';
import type { Format } from './formats.js';
import { type PartChange, section } from './cib/merge.js';
import { type ClusterConfig, constraintIds } from './model.js';
import { type ClusterPlan, planCluster, type PlanNode } from './plan.js';
import { fencingRemarks, preferRemarks, type Remark, sharedRemarks, stillRemarks } from './remarks.js';
import { goneText, removeText, stopSeconds, tearDown } from './teardown.js';
import { type Element, withId } from './cib/xml.js';

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
  const { floatingIps, prefer } = request;
  const plan = async (cib: Element | undefined): Promise<ClusterPlan> => {
    const resources = cib === undefined ? undefined : section(cib, 'resources');
    const { config, remarks } = await planCluster(node, {
      floatingIps,
      prefer,
      isThere: (id) => resources !== undefined && withId(resources, id) !== undefined,
    });
    const more = [...sharedRemarks(floatingIps), ...(cib === undefined ? [] : preferRemarks(cib, prefer))];
    return { config, remarks: [...remarks, ...more] };
  };
  await runPlanned(node, { ...request, what: 'pacemaker', plan }, report);
}

export interface PlannedRequest extends Omit<PacemakerRequest, 'prefer'> {
  /** The command, as a limit names it. */
  readonly what: string;
  /** What the cluster is to have; `cib`: what it has, undefined where none answers. */
  readonly plan: (cib: Element | undefined) => Promise<ClusterPlan>;
  /** Addresses that the cluster has and the configuration has no more: torn down before anything is made. */
  readonly gone?: (cib: Element) => readonly Pick<FloatingIp, 'address'>[];
  /** The clone that a teardown removes too. */
  readonly clone?: string;
  /** Of what is printed only what a cluster that answers does not have. */
  readonly changesOnly?: boolean;
}

/** The same of whatever plan. */
export async function runPlanned(
  node: PlanNode,
  request: PlannedRequest,
  report: PacemakerReport,
): Promise<void> {
  const { host, config } = node;
  const { floatingIps, apply, teardown, clone } = request;
  const limit = limitOf(request.what, config);
  const cib = await within(limit, () => (apply ? readCib(host) : askCib(host)));
  const plan = await within(limit, () => request.plan(cib));
  const gone = cib === undefined ? [] : (request.gone?.(cib) ?? []);
  if (!teardown) {
    await within(limit, () => refuseUnits(host, floatingIps));
    const ids = plan.config.resources.map(({ id }) => id);
    const still = cib === undefined || !apply ? [] : stillRemarks(cib, ids);
    for (const remark of [...fencingRemarks(cib), ...plan.remarks, ...still]) report.remark(remark);
  }
  if (!apply) {
    report.text(textOf(request, plan.config, { cib, gone }), plan.config);
    return;
  }
  const stops = plan.config.resources.map((resource) => stopSeconds(resource));
  const longest = Math.max(...stops);
  const end = (ips: readonly Pick<FloatingIp, 'address'>[], also?: string) =>
    within(limited(limit, (ips.length + 1) * longest), () =>
      tearDown(host, ips, {
        clone: also,
        limit: (id) => stopsOf(plan.config).get(id) ?? longest,
        stopping: (...words) => report.stopping(...words),
      }),
    );
  const parts = teardown
    ? await end([...floatingIps, ...gone], clone)
    : [...(gone.length === 0 ? [] : await end(gone)), ...(await applied(node, plan.config, request, limit))];
  for (const part of parts) report.part(part);
  report.end(parts);
}

function stopsOf({ resources }: ClusterConfig): ReadonlyMap<string, number> {
  return new Map(resources.map((resource) => [resource.id, stopSeconds(resource)]));
}

function textOf(
  { format, teardown, changesOnly = false }: PlannedRequest,
  config: ClusterConfig,
  { cib, gone }: { readonly cib: Element | undefined; readonly gone: readonly Pick<FloatingIp, 'address'>[] },
): string {
  if (!teardown)
    return cib !== undefined && changesOnly
      ? goneText(gone, format) + changesText(cib, config, format)
      : createText(config, format);
  return removeText(config, format) + goneText(gone, format);
}

async function applied(
  { host }: PlanNode,
  config: ClusterConfig,
  { format }: Pick<PacemakerRequest, 'format'>,
  limit: ReturnType<typeof limitOf>,
): Promise<readonly PartChange[]> {
  refuseWithoutAgents(config);
  const count = config.resources.length + constraintIds(config).length;
  return within(limited(limit, count * secondsEach), () => applyConfig(host, config, format));
}

function limited(limit: ReturnType<typeof limitOf>, more: number): ReturnType<typeof limitOf> {
  return { ...limit, seconds: limit.seconds + more };
}
