import path from 'node:path';
import type { Config, FloatingIp } from '../../config/config.js';
import { defaultConfigFile } from '../../config/load-config.js';
import type { DriverModule, NodeView } from '../../lockmanager/module.js';
import { type ClusterDriver, clusterDriver } from './driver.js';
import { type ClusterConfig, preferenceId, resourceId, serialized } from './model.js';
import type { Remark } from './remarks.js';
import { homeScore, resourceOf } from './resource.js';
import { timeoutsOf } from './timeouts.js';
import { unfit } from './unfit.js';

export interface PlanNode extends NodeView {
  readonly config: Config;
  readonly drivers: readonly DriverModule[];
}

export interface PlanOptions {
  readonly floatingIps: readonly FloatingIp[];
  /** The node that these addresses come home to. */
  readonly prefer: string | undefined;
  /** Whether a resource is in the cluster already; false for all where none is asked. */
  readonly isThere: (id: string) => boolean;
}

export interface ClusterPlan {
  readonly config: ClusterConfig;
  readonly remarks: readonly Remark[];
}

/** What the cluster is to have for these addresses. Throws CLUSTER_UNFIT, DRIVER_UNSUITED, NO_DRIVER. */
export async function planCluster(
  node: PlanNode,
  { floatingIps, prefer, isThere }: PlanOptions,
): Promise<ClusterPlan> {
  const file = configParameter(node.config.file);
  const drivers = new Map<FloatingIp, ClusterDriver>();
  for (const ip of node.config.floatingIps) {
    // Of the others only whether two starts must be kept apart: what is wrong with one is said when it is asked for.
    const isAsked = floatingIps.includes(ip);
    const driver = await clusterDriver(node.drivers, node, ip).catch((error: unknown) => {
      if (isAsked) throw error;
      return undefined;
    });
    if (driver !== undefined) drivers.set(ip, driver);
  }
  const resources = floatingIps.map((ip) => {
    const grace = drivers.get(ip)?.grace ?? 0;
    const timeouts = timeoutsOf(node.config.timeouts, {
      grace,
      filesystems: ip.filesystems.length,
      isShared: ip.shared !== undefined,
    });
    return resourceOf(ip, { timeouts, config: file });
  });
  const takers = [...drivers].filter(([, { takesNode }]) => takesNode).map(([ip]) => ip);
  const isIn = (ip: FloatingIp) => floatingIps.includes(ip) || isThere(resourceId(ip.address));
  return {
    config: {
      resources,
      orders: pairs(takers.filter(isIn))
        .filter((pair) => pair.some((ip) => floatingIps.includes(ip)))
        .map(([one, other]) => serialized(resourceId(one.address), resourceId(other.address))),
      preferences:
        prefer === undefined
          ? []
          : resources.map((resource) => ({
              id: preferenceId(resource.id),
              resource: resource.id,
              node: prefer,
              score: homeScore(resource),
            })),
      ties: [],
      gone: [],
    },
    remarks: [...guessRemarks(drivers, floatingIps), ...absentRemarks(takers, floatingIps, isIn)],
  };
}

/** Every two of them, in their order. */
function pairs<T>(all: readonly T[]): (readonly [T, T])[] {
  return all.flatMap((one, at) => all.slice(at + 1).map((other) => [one, other] as const));
}

/** Undefined where the agents find it by themselves. Throws CLUSTER_UNFIT for a path that nobody can read on a terminal. */
function configParameter(file: string): string | undefined {
  const absolute = path.resolve(file);
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(absolute)) {
    throw unfit(
      `The path ${JSON.stringify(absolute)} of the configuration cannot be printed as it is`,
      'Put the configuration where the path has no such characters, on every node.',
    );
  }
  return absolute === defaultConfigFile ? undefined : absolute;
}

function guessRemarks(
  drivers: ReadonlyMap<FloatingIp, ClusterDriver>,
  floatingIps: readonly FloatingIp[],
): Remark[] {
  const guessed = floatingIps.filter((ip) => drivers.get(ip)?.guess !== undefined);
  const driver = guessed[0] === undefined ? undefined : drivers.get(guessed[0]);
  if (driver?.guess === undefined) return [];
  const addresses = guessed.map(({ address }) => address).join(', ');
  const [message, where] = driver.guess.isRoot
    ? [`No driver of "auto" can serve ${addresses} on this node (${driver.guess.lacks})`, 'on one that can']
    : [`What driver "auto" takes for ${addresses} is seen by root alone`, 'as root on a node'];
  return [
    {
      level: 'NOTE',
      message: `${message}: this is for ${driver.name}`,
      hint: `Run it ${where}, or name the driver in [lock_manager].`,
    },
  ];
}

/** Others that would take the grace of these, and are not in the cluster as far as is known. */
function absentRemarks(
  takers: readonly FloatingIp[],
  floatingIps: readonly FloatingIp[],
  isIn: (ip: FloatingIp) => boolean,
): Remark[] {
  const absent = takers.filter((ip) => !isIn(ip)).map(({ address }) => address);
  if (absent.length === 0 || !floatingIps.some((ip) => takers.includes(ip))) return [];
  return [
    {
      level: 'NOTE',
      message: `A takeover of ${absent.join(', ')} restarts the lock manager of its node, and nothing here keeps it apart from these`,
      hint: 'Give all addresses that the cluster has to one command, so that their starts wait for each other.',
    },
  ];
}
