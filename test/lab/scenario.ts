import test, { type ExecutionContext } from 'ava';
import { bootLab, type Lab, type LabOptions, labUnavailable } from './lab.js';
import { dataFile, file, type Locked } from './scenario-steps.js';
import { stepTimes, type ToolResult } from './site.js';
import { LabSite } from './sites/lab-site.js';
import { describeKernels, describeSite, kernelsOf, traitsOf } from './sites/scenarios.js';
import { useLab } from './use-lab.js';

export * from './scenario-steps.js';

export interface ScenarioOptions {
  readonly minutes?: number;
  /** What its guests need beside those of every lab. */
  readonly commands?: readonly string[];
}

/** An ava test in a freshly booted lab, on the site that is drawn for it, that is stopped afterwards, or after `minutes`; skipped, with the reason, where none can run. */
export function scenario(
  title: string,
  body: (t: ExecutionContext, lab: Lab) => Promise<void>,
  { minutes = 10, commands = [], ...options }: LabOptions & ScenarioOptions = {},
): void {
  const reason = labUnavailable(commands);
  if (reason !== undefined) {
    test.serial.skip(`${title} (${reason})`, () => undefined);
    return;
  }
  const site = new LabSite(traitsOf(title));
  const onKernels = kernelsOf(title);
  test.serial(title, (t) =>
    useLab(
      t,
      minutes,
      () => bootLab({ site, onKernels, ...options }),
      (lab) => {
        t.log(`${describeSite(site.traits)}; ${describeKernels(onKernels)}`);
        return body(t, lab);
      },
    ),
  );
}

/**
 * Every witness that the lock survived: B's kernel, the rival, the clients' kernel log, the data. The grace on B is ended once
 * the lock is there, as nobody else has anything to reclaim, so that the rival's answer comes at once.
 */
export async function assertSurvived(
  t: ExecutionContext,
  lab: Lab,
  { address, holder, rival }: Locked,
): Promise<void> {
  const { b, c, disks } = lab;
  t.is((await b.nfsLocks(disks.vol1.device)).length, 1, 'B holds the lock for the client');
  await b.endGrace(address);
  t.false(await rival.tryLock(file), 'the rival is refused after the failover');
  t.false(await c.clientLogHas('failed to reclaim'), 'no reclaim failed');
  t.is(await holder.read(dataFile), 'written before');
}

export function logSteps(t: ExecutionContext, what: string, result: ToolResult): void {
  t.log(`${what}: ${stepTimes(result)}`);
}
