import type { ErrorCode } from '../error-codes.js';
import { exitCodes, FailoverError } from '../errors.js';
import { findAddress } from '../host/reading/addresses.js';
import { servingJournal } from '../rundir/serving.js';
import type { DriverModule, LooksOptions, Site } from './module.js';
import type { LockManager } from './port.js';

export interface DriverChoice {
  readonly driver: LockManager;
  /** Why this one, as a clause: "configured", "auto: its instance is here". */
  readonly why: string;
  /** With `auto`: the drivers before it in the list, and every reason why it is none of them. */
  readonly passedOver: readonly PassedOver[];
  /** With `onlyLooks`: what this host lacks for it, as it would be thrown. */
  readonly unable?: FailoverError;
}

interface PassedOver {
  readonly name: string;
  readonly reasons: readonly string[];
}

/** A driver, made, and what of the address is here of it alone, as a clause; undefined: nothing. */
interface Candidate {
  readonly module: DriverModule;
  readonly driver: LockManager;
  readonly sign: string | undefined;
}

/**
 * The driver that the configuration names, or with `auto` the one that serves the address here already; where nothing
 * does, the first of the list that suits the address and that this host can do.
 *
 * Throws FailoverError, exit code 3: DRIVER_UNSUITED where the one named does not suit or this host cannot do it,
 * SERVED_OTHERWISE where another one than the one named serves the address here (it would overlook what that one made),
 * NO_DRIVER where `auto` finds none.
 */
export async function chooseDriver(
  modules: readonly DriverModule[],
  site: Site,
  options: LooksOptions,
): Promise<DriverChoice> {
  const { driver: wanted } = site.config.lockManager;
  const candidates = await candidatesOf(modules, site);
  const serving = servingOf(candidates);
  const onNode = await servedOnNode(site, serving);
  const named = candidates.find(({ module }) => module.name === wanted);
  if (named !== undefined) {
    refuseOther(named, serving, onNode, site);
    const unable =
      soleOf(serving) === named
        ? undefined
        : await refuseUnable(named, site, options, sharingHint(modules, site, options));
    return {
      driver: named.driver,
      why: 'configured',
      passedOver: [],
      ...(unable === undefined ? {} : { unable }),
    };
  }
  const sole = soleOf(serving);
  if (sole !== undefined) return { driver: sole.driver, why: `auto: ${sole.sign ?? ''}`, passedOver: [] };
  const passedOver: PassedOver[] = [];
  for (const { module, driver, sign } of candidates) {
    const elsewhere = servedElsewhere(module, sign, { serving, onNode, ...options });
    const reasons = elsewhere === undefined ? await reasonsAgainst(module, site, options) : [elsewhere];
    if (reasons.length === 0) return { driver, why: whyOf(module, passedOver), passedOver };
    passedOver.push({ name: module.name, reasons });
  }
  throw refusal(
    `No lock manager driver can serve ${site.floatingIp.address} on this host: ${passedOverText(passedOver)}`,
    'NO_DRIVER',
    sharingHint(modules, site, options) ?? 'Remove the reasons for one of them.',
  );
}

/**
 * The driver that serves an address here, by what is here of it: an instance, an export. Of several that export in the same way the
 * one that the configuration names. Where there is nothing of any, the one named, if it serves from the node itself; else
 * undefined: then nobody but the node itself can be asked.
 */
export async function driverHere(
  modules: readonly DriverModule[],
  site: Site,
): Promise<LockManager | undefined> {
  const { driver: wanted } = site.config.lockManager;
  const candidates = await candidatesOf(modules, site);
  const serving = servingOf(candidates);
  const isNamed = ({ module }: Candidate) => module.name === wanted;
  const found =
    serving.find(isNamed) ??
    serving[0] ??
    candidates.find((one) => isNamed(one) && one.module.servesFrom === 'node');
  return found?.driver;
}

/** What tells that a driver serves the address: its instance, or, from the node itself, an export. */
async function candidatesOf(modules: readonly DriverModule[], site: Site): Promise<Candidate[]> {
  const { filesystems, shared } = site.floatingIp;
  // What every node exports tells nothing of an address.
  const own = shared === undefined ? filesystems : [];
  const paths = new Set(own.flatMap(({ exports }) => exports.map((one) => one.path)));
  const candidates: Candidate[] = [];
  const { driver: wanted } = site.config.lockManager;
  for (const module of modules) {
    if (module.isOnlyNamed === true && module.name !== wanted) continue;
    const driver = module.make(site);
    if (module.servesFrom === 'instance') {
      const sign = driver.absence() === undefined ? 'its instance is here' : undefined;
      candidates.push({ module, driver, sign });
    } else {
      const entry = (await driver.exports.current()).find(({ path }) => paths.has(path));
      candidates.push({
        module,
        driver,
        sign: entry === undefined ? undefined : `${entry.path} is exported`,
      });
    }
  }
  return candidates;
}

/** The drivers of which something is here. An instance counts before the node, where a crash may have left something. */
function servingOf(candidates: readonly Candidate[]): Candidate[] {
  const signed = candidates.filter(({ sign }) => sign !== undefined);
  const instances = signed.filter(({ module }) => module.servesFrom === 'instance');
  return instances.length > 0 ? instances : signed;
}

/**
 * The one that must have made what is here, where no other can have: it can take that away also where it could not make it anew.
 * nlm-fsid and lockd export in the same way, so of those what the host can do decides.
 */
function soleOf(serving: readonly Candidate[]): Candidate | undefined {
  return serving.length === 1 ? serving[0] : undefined;
}

/**
 * What of an address is served from the node itself, rather than from an instance, as a clause; undefined: nothing. A mount is not
 * counted: with every driver it is the node's.
 */
async function servedOnNode(
  { host, run, floatingIp: { address } }: Site,
  serving: readonly Candidate[],
): Promise<string | undefined> {
  const up = await findAddress(host, address);
  if (up !== undefined) return `${address} is up on ${up.interface}`;
  const exporting = serving.find(({ module }) => module.servesFrom === 'node');
  if (exporting !== undefined) return exporting.sign;
  return servingJournal(run, address) === undefined ? undefined : `${address} is recorded`;
}

interface Situation extends LooksOptions {
  readonly serving: readonly Candidate[];
  readonly onNode: string | undefined;
}

/** With `auto`: why the address is not this one's at the moment, whatever the host can do. */
function servedElsewhere(
  module: DriverModule,
  sign: string | undefined,
  { serving, onNode, takesOver }: Situation,
): string | undefined {
  if (module.servesFrom === 'instance')
    return onNode ?? (takesOver ? undefined : 'this command does not do B-4 and B-5');
  const [other] = serving;
  return sign !== undefined || other === undefined
    ? undefined
    : `${other.sign ?? ''} by ${other.module.name}`;
}

async function reasonsAgainst(module: DriverModule, site: Site, options: LooksOptions): Promise<string[]> {
  const mistakes = module.mistakes?.(site) ?? [];
  const lacks = await module.lacks(site, options);
  return [...unsuitedOf(module, site, options), ...lacks.filter((one) => !mistakes.includes(one))];
}

/** Where entering grace means a restart, a rival gets in between the first node's end and the last one's. */
function unsuitedOf(
  module: DriverModule,
  { floatingIp }: Pick<Site, 'floatingIp'>,
  options: LooksOptions,
): string[] {
  const cannotShare = floatingIp.shared !== undefined && !canShare(module, options);
  return [
    ...module.unsuited(floatingIp),
    ...(cannotShare ? ['it cannot bring every node that exports a shared file system into grace'] : []),
  ];
}

function canShare({ servesShared, startsTogether }: DriverModule, { leavesAlone }: LooksOptions): boolean {
  return servesShared === true || (leavesAlone === true && startsTogether === true);
}

function whyOf({ summary }: DriverModule, passedOver: readonly PassedOver[]): string {
  return `auto: ${passedOver.length === 0 ? summary : passedOverText(passedOver)}`;
}

/** "not nlm-fsid: REASON, REASON; not lockd-netns: REASON". */
function passedOverText(passedOver: readonly PassedOver[]): string {
  return passedOver.map(({ name, reasons }) => `not ${name}: ${reasons.join(', ')}`).join('; ');
}

function refuseOther(
  { module }: Candidate,
  serving: readonly Candidate[],
  onNode: string | undefined,
  { floatingIp: { address } }: Site,
): void {
  if (serving.some((one) => one.module === module)) return;
  if (module.servesFrom === 'instance') {
    if (onNode === undefined) return;
    throw servedOtherwise(
      `${onNode}, on the host itself and not in an instance, while the configuration says driver "${module.name}"`,
      address,
    );
  }
  const [other] = serving;
  if (other === undefined) return;
  throw servedOtherwise(
    other.module.servesFrom === 'instance'
      ? `${address} has an instance on this node, made by the driver "${other.module.name}", while the configuration says "${module.name}"`
      : `${other.sign ?? ''} by the driver "${other.module.name}", while the configuration says "${module.name}"`,
    address,
  );
}

/** Where only some drivers can: which. One that all nodes start together serves what CTDB moves, and nobody else may move that. */
function sharingHint(
  modules: readonly DriverModule[],
  { floatingIp, config }: Pick<Site, 'floatingIp' | 'config'>,
  options: LooksOptions,
): string | undefined {
  const able = modules.filter((module) => canShare(module, options)).map(({ name }) => name);
  const { driver } = config.lockManager;
  if (floatingIp.shared === undefined || able.includes(driver)) return undefined;
  const only = `What is in [[shared_filesystem]] only ${able.join(', ')} can serve: set [lock_manager].driver.`;
  const startsTogether = modules.some((module) => module.name === driver && module.startsTogether === true);
  return startsTogether
    ? `Where CTDB moves the address, leave that to it ("ctdb moveip"), after "nlm-failover setup --ctdb" on every node: CTDB in nlm-failover(8). Without CTDB: ${only}`
    : only;
}

/** With `onlyLooks` what a host lacks that may be there later is returned. */
async function refuseUnable(
  { module }: Candidate,
  site: Site,
  options: LooksOptions,
  hint: string | undefined,
): Promise<FailoverError | undefined> {
  const unsuited = unsuitedOf(module, site, options);
  const lacks = await module.lacks(site, options);
  const sentences = [
    ...(unsuited.length === 0
      ? []
      : [
          `The lock manager driver ${module.name} cannot serve ${site.floatingIp.address}: ${unsuited.join(', ')}`,
        ]),
    ...(lacks.length === 0
      ? []
      : [`This host cannot do the lock manager driver ${module.name}: ${lacks.join(', ')}`]),
  ];
  if (sentences.length === 0) return undefined;
  const unable = refusal(
    sentences.join('. '),
    'DRIVER_UNSUITED',
    hint ??
      module.remedy ??
      `It is for ${module.summary}. Set [lock_manager].driver to "auto", or to another one.`,
  );
  if (options.onlyLooks === true && unsuited.length === 0) return unable;
  throw unable;
}

function servedOtherwise(message: string, address: string): FailoverError {
  return refusal(
    message,
    'SERVED_OTHERWISE',
    `Run "nlm-failover release ${address}" with the driver that took it over, or with "auto". Then take it over again.`,
  );
}

function refusal(message: string, code: ErrorCode, hint: string): FailoverError {
  return new FailoverError(message, {
    code,
    exitCode: exitCodes.configuration,
    operation: 'choosing the lock manager driver',
    hint,
  });
}
