import type { Command } from 'commander';
import { exitCodes } from '../../errors.js';
import type { DaemonState, Health } from '../../lockmanager/port.js';
import type { FindingReport } from '../../failover/reclaim/finding-report.js';
import type { AddressStatus } from '../../failover/status/status.js';
import { verdictTitles } from '../text/audit-text.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { printable } from '../text/printable.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

/** nlm-failover status: what is where, and what went wrong. */
export function addStatus(
  program: Command,
  io: Io,
  drivers: LoadDrivers,
  exit: (code: number) => void,
): void {
  addCommonOptions(
    program
      .command('status')
      .summary('who owns each floating IP, what is served here, how the last operation ended')
      .description(
        'Show for each floating IP its owner and epoch, whether it is served here, its recorded clients, how the last ' +
          'operation ended, and what the callout could not write or not make durable.\n\n' +
          'Ends with 1 where something is wrong: an address is up here and not recorded, or recorded and not up; it is served ' +
          'here, and another node owns it or the configuration does not have it; its record cannot be used; a daemon of its ' +
          'instance is dead, not registered or does not answer.',
      )
      .argument('[address]', 'one floating IP (default: all of the configuration)'),
  ).action(async (address: string | undefined, options: CommonOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { addressStatus, isBroken, refusedMark, unconfiguredStatus } =
      await import('../../failover/status/status.js');
    const { limitOf } = await import('../../failover/limits.js');
    const { within } = await import('../../host/running/deadline.js');
    let broken = false;
    const reader = await openReader(drivers, address, options);
    const say = (status: AddressStatus): void => {
      broken ||= isBroken(status);
      io.out(options.json === true ? `${JSON.stringify(status)}\n` : statusText(status));
    };
    for (const ip of reader.floatingIps)
      say(await within(limitOf(`status ${ip.address}`, reader.config), () => addressStatus(reader, ip)));
    if (address === undefined)
      for (const status of await within(limitOf('status', reader.config), () => unconfiguredStatus(reader)))
        say(status);
    const refused = refusedMark(reader.run);
    if (refused !== undefined && options.json !== true) io.out(`the callout refused a name: ${refused}\n`);
    exit(broken ? exitCodes.stepFailed : exitCodes.done);
  });
}

function statusText(status: AddressStatus): string {
  const { address, record, here } = status;
  const lines = [
    `${printable(address)}  ${here.addressUp && here.recording ? 'served here' : here.addressUp ? 'up here, but not recorded' : here.recording ? 'recorded here, but not up' : 'not served here'}`,
  ];
  if (status.unconfigured === true) {
    lines.push(
      '  NOT IN THE CONFIGURATION: its clients cannot be notified. Put it back; release it before you take it out',
    );
  } else if (status.recordError !== undefined) {
    const what = record === undefined ? 'USED' : 'WRITTEN';
    lines.push(`  record      CANNOT BE ${what}: ${status.recordError.message}`);
    if (status.recordError.hint !== null) lines.push(`              ${status.recordError.hint}`);
  } else if (record === undefined) {
    const why = status.unreachable ?? 'none yet';
    lines.push(
      `  record      ${here.recording ? `CANNOT BE REACHED, though it is recorded here: ${why}` : why}`,
    );
  }
  if (record !== undefined) {
    const { owner, epoch, released } = record;
    const ill = here.recording && !record.ownerHere ? 'NOT THIS NODE: ' : '';
    const namesake = record.otherMachine === true ? ' (ANOTHER MACHINE of this name)' : '';
    lines.push(
      `  owner       ${ill}${owner === null ? 'nobody yet' : printable(owner)}${namesake}${owner === null ? '' : `, epoch ${epoch}${released ? ', released' : ''}${record.presumed === true ? ' (as the journals have it: rebuilt)' : ''}`}`,
    );
    lines.push(`  clients     ${record.clients} recorded, ${record.notNotified} still to be notified`);
    if (record.lastOperation !== null) {
      const { kind, node, outcome, startedAt, detail } = record.lastOperation;
      lines.push(
        `  last        ${printable(kind)} on ${printable(node)} at ${startedAt}: ${printable(outcome)}${detail === '' ? '' : ` (${printable(detail)})`}`,
      );
    }
    if (record.badLines > 0)
      lines.push(`  journal     ${record.badLines} bad lines kept aside in monitors.db`);
    for (const remark of record.remarks) lines.push(`  remark      ${printable(remark)}`);
  }
  if (record !== undefined && record.findings.length > 0)
    lines.push(`  audit       ${findingsText(record.findings)}: nlm-failover audit ${address}`);
  if (status.lockManager !== undefined) {
    const { driver, ...health } = status.lockManager;
    lines.push(`  ${driver.padEnd(11)} ${healthText(health)}`);
  }
  for (const mark of status.marks) lines.push(`  callout     ${mark}`);
  return `${lines.join('\n')}\n`;
}

/** "2 LOST, 1 not reclaimed". */
function findingsText(findings: readonly Pick<FindingReport, 'verdict'>[]): string {
  return Object.entries(verdictTitles)
    .map(([verdict, title]) => [findings.filter((one) => one.verdict === verdict).length, title] as const)
    .filter(([count]) => count > 0)
    .map(([count, title]) => `${count} ${title}`)
    .join(', ');
}

const illTexts = {
  dead: 'is dead',
  unregistered: 'is not registered with rpcbind',
  silent: 'does not answer',
} satisfies Record<Exclude<DaemonState, 'running'>, string>;

function healthText({ daemons, counts, inGrace, graceLeft, clients }: Health): string {
  const ill = Object.entries(daemons).flatMap(([name, state]) =>
    state === 'running' ? [] : [`${name} ${illTexts[state]}`],
  );
  return [
    ill.length === 0 ? 'all daemons run' : `NOT SERVING: ${ill.join(', ')}`,
    ...Object.entries(counts).map(([what, count]) => `${count} ${what}`),
    `${clients} clients monitored`,
    ...(inGrace ? [`${graceLeft} s of grace left`] : []),
  ].join('; ');
}
