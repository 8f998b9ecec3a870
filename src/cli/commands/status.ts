import type { Command } from 'commander';
import { exitCodes } from '../../errors.js';
import type { Health } from '../../lockmanager/port.js';
import type { FindingReport } from '../../failover/reclaim/finding-report.js';
import type { AddressStatus } from '../../failover/status/status.js';
import { illTexts } from '../../failover/status/wrong.js';
import { verdictTitles } from '../text/audit-text.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { printable } from '../text/printable.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

interface StatusOptions extends CommonOptions {
  readonly isServed?: boolean;
}

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
          'Ends with 0 where all that should be here is here and well, and with 1 where something is wrong; each line WRONG says what: ' +
          'an address that is served here is not up, not recorded, not mounted or not exported; another node owns it, or the ' +
          'configuration does not have it; a daemon is dead, not registered or does not answer; this node owns the address and does ' +
          'not serve it; its record cannot be used, or the storage that every node sees is not there; the last operation of this node failed or was ' +
          'interrupted; nobody here answers a call into grace of what every node exports; locks are LOST, or a client SILENT, and nobody has acknowledged it; the callout could not record an event. ' +
          'That an address is served elsewhere, or a client still to be notified, is not wrong.',
      )
      .argument('[address]', 'one floating IP (default: all of the configuration)')
      .option(
        '--is-served',
        'for scripts, with an address: one line; ends with 0 where it is served here and well, 7 where nothing of it is here, 1 where it is ' +
          'here and not well. Findings, and how the last operation ended, do not count',
      ),
  ).action(async (address: string | undefined, options: StatusOptions, command: Command) => {
    if (options.isServed === true && address === undefined)
      command.error('error: --is-served needs an address');
    const { openReader } = await import('../open-reader.js');
    const { addressStatus, refusedMark, unconfiguredStatus } =
      await import('../../failover/status/status.js');
    const { limitOf } = await import('../../failover/limits.js');
    const { within } = await import('../../host/running/deadline.js');
    let wrong = false;
    const reader = await openReader(drivers, address, options);
    const say = (status: AddressStatus): void => {
      wrong ||= status.wrong.length > 0;
      io.out(options.json === true ? `${JSON.stringify(status)}\n` : statusText(status));
    };
    for (const ip of reader.floatingIps) {
      const status = await within(limitOf(`status ${ip.address}`, reader.config), () =>
        addressStatus(reader, ip),
      );
      if (options.isServed === true) {
        io.out(options.json === true ? `${JSON.stringify(servedJson(status))}\n` : servedText(status));
        exit(servedCode(status));
        return;
      }
      say(status);
    }
    if (address === undefined)
      for (const status of await within(limitOf('status', reader.config), () => unconfiguredStatus(reader)))
        say(status);
    const refused = refusedMark(reader.run);
    if (refused !== undefined && options.json !== true) io.out(`the callout refused a name: ${refused}\n`);
    exit(wrong ? exitCodes.stepFailed : exitCodes.done);
  });
}

function servedCode({ isHere, ill }: AddressStatus): number {
  if (!isHere) return exitCodes.notServed;
  return ill.length === 0 ? exitCodes.done : exitCodes.stepFailed;
}

function servedJson({ address, isHere, ill }: AddressStatus) {
  return { address, isHere, ill };
}

function servedText({ address, isHere, ill }: AddressStatus): string {
  if (!isHere) return `${address} is not served here\n`;
  return `${address} is served here${ill.length === 0 ? '' : `, and not well: ${ill.map(printable).join('; ')}`}\n`;
}

function statusText(status: AddressStatus): string {
  const { address, record, here } = status;
  const lines = [`${printable(address)}  ${standingText(status)}`];
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
  for (const one of status.wrong) lines.push(`  WRONG       ${printable(one)}`);
  return `${lines.join('\n')}\n`;
}

/** Whether it is served here, in the line of the address. */
function standingText({ here, isHere }: AddressStatus): string {
  if (here.addressUp) return here.recording ? 'served here' : 'up here, but not recorded';
  if (here.recording) return 'recorded here, but not up';
  // Exported, or a volume of it mounted.
  return isHere ? 'partly here: adopt, takeover or release' : 'not served here';
}

/** "2 LOST, 1 not reclaimed". */
function findingsText(findings: readonly Pick<FindingReport, 'verdict'>[]): string {
  return Object.entries(verdictTitles)
    .map(([verdict, title]) => [findings.filter((one) => one.verdict === verdict).length, title] as const)
    .filter(([count]) => count > 0)
    .map(([count, title]) => `${count} ${title}`)
    .join(', ');
}

function healthText({ daemons, counts, inGrace, graceLeft, waiting = [], clients }: Health): string {
  const ill = Object.entries(daemons).flatMap(([name, state]) =>
    state === 'running' ? [] : [`${name} ${illTexts[state]}`],
  );
  return [
    ill.length === 0 ? 'all daemons run' : `NOT SERVING: ${ill.join(', ')}`,
    ...Object.entries(counts).map(([what, count]) => `${count} ${what}`),
    `${clients} clients monitored`,
    ...(inGrace ? [graceLeft === undefined ? 'in grace' : `${graceLeft} s of grace left`] : []),
    ...(waiting.length === 0 ? [] : [`new locks of ${waiting.join(', ')} wait too`]),
  ].join('; ');
}
