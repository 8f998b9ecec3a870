import type { FloatingIp } from '../../config/config.js';
import { FailoverError } from '../../errors.js';
import { RecordSession } from '../../failover/access/session.js';
import type { NodeReader } from '../../failover/access/with-record.js';
import { Collected, type FailoverContext } from '../../failover/context.js';
import { isTimeout } from '../../host/running/deadline.js';
import { chooseDriver, type DriverChoice } from '../../lockmanager/choose.js';
import type { DriverModule } from '../../lockmanager/module.js';
import type { LockManager } from '../../lockmanager/port.js';
import { isCtdbs } from '../ctdb/scripts.js';
import type { AddressSite, CheckReader } from './check.js';
import { standingOf } from './standing.js';

/** An address as a takeover on this node would find it now. Throws FailoverError STEP_TIMEOUT, COMMAND_TIMEOUT. */
export async function lookAround(reader: CheckReader, ip: FloatingIp): Promise<AddressSite> {
  const site = { ...reader, floatingIp: ip };
  let choice: DriverChoice | FailoverError;
  try {
    choice = await chooseDriver(reader.drivers, site, {
      takesOver: true,
      leavesAlone: isCtdbs(reader.host, reader.run),
    });
  } catch (error) {
    if (!(error instanceof FailoverError) || isTimeout(error)) throw error;
    choice = error;
  }
  const { driver: wanted } = reader.config.lockManager;
  const name = choice instanceof FailoverError ? wanted : choice.driver.name;
  const module = reader.drivers.find((one) => one.name === name) ?? lastOf(reader.drivers);
  const driver = choice instanceof FailoverError ? module.make(site) : choice.driver;
  return {
    reader,
    ip,
    choice,
    module,
    context: lookingContext(reader, ip, driver),
    standing: await standingOf(reader, ip),
  };
}

function lastOf(drivers: readonly DriverModule[]): DriverModule {
  const last = drivers.at(-1);
  if (last === undefined) throw new TypeError('there is no lock manager driver');
  return last;
}

/** For looks alone: no record is opened in its session, and nobody is notified. */
function lookingContext(reader: NodeReader, floatingIp: FloatingIp, driver: LockManager): FailoverContext {
  const { host, config, nlmRegistered, registeredAt } = reader;
  return {
    host,
    config,
    floatingIp,
    driver,
    run: driver.run,
    session: new RecordSession(host, floatingIp, config),
    voucher: undefined,
    notifyDeadlineMs: undefined,
    rpcbindPort: 111,
    signal: new AbortController().signal,
    log: () => undefined,
    collected: new Collected(),
    undone: () => undefined,
    onNotifyProgress: () => undefined,
    nlmRegistered,
    registeredAt,
  };
}
