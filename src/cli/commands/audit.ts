import type { Command } from 'commander';
import type { AuditReport } from '../../failover/reclaim/audit.js';
import type { ReclaimState } from '../../failover/reclaim/reclaim-watch.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

interface AuditOptions extends CommonOptions {
  readonly acknowledge?: boolean;
}

/** nlm-failover audit ADDRESS: which locks did not come back. */
export function addAudit(program: Command, io: Io, drivers: LoadDrivers, exit: (code: number) => void): void {
  addCommonOptions(
    program
      .command('audit')
      .summary('which locks were not reclaimed after the last takeover')
      .description(
        'Show which locks did not come back after the last takeover; run it on the owner of the address. After a release: each ' +
          'lock that was held and was not reclaimed, with its file and, where it is known, its client. After a crash: each ' +
          'client that did not come back. Where the grace is over and nothing was compared yet (takeover --no-wait, or an ' +
          'interruption), it is compared now: a lock that is held counts as reclaimed, and one that was given back meanwhile ' +
          'is named too, so sooner is better. Ends with 6 where locks are lost and nobody has acknowledged that.',
      )
      .argument('<address>', 'the floating IP, as in the configuration')
      .option('--acknowledge', 'show it once more, and leave it out from now on, in status too'),
  ).action(async (address: string, options: AuditOptions) => {
    const { openRunContext } = await import('../run-context.js');
    const { acknowledge, audit } = await import('../../failover/reclaim/audit.js');
    const { auditExitCode, auditJson } = await import('../text/audit-text.js');
    const { context } = await openRunContext(drivers, address, options, () => undefined);
    const { withHooks } = await import('../with-hooks.js');
    const report = await withHooks(io, context, 'audit', async (seen) => {
      seen.audit = await audit(context);
      return seen.audit;
    });
    io.out(
      options.json === true
        ? `${JSON.stringify({ address: context.floatingIp.address, audit: auditJson(report) })}\n`
        : await auditText(context.floatingIp.address, report),
    );
    if (options.acknowledge === true) {
      acknowledge(context);
      exit(0);
    } else {
      exit(auditExitCode(report.findings));
    }
  });
}

async function auditText(address: string, report: AuditReport): Promise<string> {
  const { clientsText, progressText, verdictTitles } = await import('../text/audit-text.js');
  const { printable } = await import('../text/printable.js');
  const { table } = await import('../text/table.js');
  const compared = report.comparedAt === null ? '' : ` at ${new Date(report.comparedAt).toISOString()}`;
  const head = `${address}  ${stateTitles[report.state]}${compared}: ${progressText(report)}\n`;
  if (report.findings.length === 0) return head;
  const rows = report.findings.map(({ verdict, path, lock, clients, at }) => [
    verdictTitles[verdict],
    clients.length === 0 ? '?' : clientsText(clients, ' or ', ' or '),
    lock === undefined ? '-' : `${lock.mode} ${lock.start}-${lock.end}`,
    printable(path ?? '-'),
    new Date(at).toISOString(),
  ]);
  return head + table(['WHAT', 'CLIENT', 'LOCK', 'FILE', 'FOUND'], rows);
}

const stateTitles: Readonly<Record<ReclaimState, string>> = {
  'in-grace': 'still in its grace period',
  over: 'grace over, not compared',
  compared: 'compared',
  none: 'no takeover recorded',
  gone: 'not served by this node',
};
