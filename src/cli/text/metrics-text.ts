import type { AddressStatus } from '../../failover/status/status.js';

/** What is known of one address on this node. */
export interface AddressMetrics {
  readonly address: string;
  /** Undefined: its status could not be read. */
  readonly status: AddressStatus | undefined;
  /** Of the lock manager that serves it here, where it can tell: seconds. */
  readonly graceLeft?: number | undefined;
  /** How many clients its rpc.statd monitors. */
  readonly monitored?: number | undefined;
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

interface Family {
  readonly name: string;
  /** Without quotes and backslashes, which the two formats escape differently. */
  readonly help: string;
  /** None where there is nothing to say. */
  readonly samples: (one: AddressMetrics) => readonly Sample[];
}

/**
 * The exposition, in what OpenMetrics 1.0 and the text format 0.0.4 of Prometheus (which is all that node_exporter's textfile collector
 * reads) have in common: gauges alone, since a counter is named otherwise in each; no UNIT, no timestamps; HELP, TYPE and all samples of a
 * family together; `# EOF`, which is a comment to the older one, at the end.
 */
export function metricsText(version: string, all: readonly AddressMetrics[]): string {
  const info = familyText(buildInfo, [[{ version }, 1]]);
  const families = addressFamilies.map((family) =>
    familyText(
      family,
      all.flatMap((one) =>
        family.samples(one).map(([labels, value]): Sample => [{ address: one.address, ...labels }, value]),
      ),
    ),
  );
  return `${[info, ...families].join('')}# EOF\n`;
}

const buildInfo = {
  name: 'nlm_failover_build_info',
  help: 'The version of nlm-failover that wrote this; always 1.',
};

function familyText({ name, help }: Pick<Family, 'name' | 'help'>, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const lines = samples.map(([labels, value]) => {
    const set = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    return `${name}{${set.join(',')}} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

/** A label's value: backslash, quote and newline are escaped (OpenMetrics 1.0, escaped-string; text format 0.0.4 the same). */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** As findings are, but for the idle, which status does not show. */
const verdicts = ['lost', 'silent', 'not-notified', 'not-reclaimed', 'unseen'] as const;

const yes = (isSo: boolean): readonly Sample[] => [[{}, isSo ? 1 : 0]];
const number = (value: number | undefined): readonly Sample[] => (value === undefined ? [] : [[{}, value]]);
const seconds = (time: string): number => Date.parse(time) / 1000;

const addressFamilies: readonly Family[] = [
  {
    name: 'nlm_failover_status_read',
    help: 'Whether the status of the address could be read; where it is 0 there is nothing else of it.',
    samples: ({ status }) => yes(status !== undefined),
  },
  {
    name: 'nlm_failover_served_here',
    help: 'Whether the address is up here, and its clients are recorded here.',
    samples: ({ status }) =>
      status === undefined ? [] : yes(status.here.addressUp && status.here.recording),
  },
  {
    name: 'nlm_failover_wrong',
    help: 'How much is wrong with the address on this node: as many as nlm-failover status has lines that say WRONG.',
    samples: ({ status }) => number(status?.wrong.length),
  },
  {
    name: 'nlm_failover_record_readable',
    help: 'Whether the record can be read here; 0 is no error where the address is served elsewhere and its record moves along.',
    samples: ({ status }) => (status === undefined ? [] : yes(status.record !== undefined)),
  },
  {
    name: 'nlm_failover_owner_here',
    help: 'Whether this node owns the address, and has not released it.',
    samples: ({ status }) =>
      status?.record === undefined ? [] : yes(status.record.ownerHere && !status.record.released),
  },
  {
    name: 'nlm_failover_epoch',
    help: 'How often the address was taken over.',
    samples: ({ status }) => number(status?.record?.epoch),
  },
  {
    name: 'nlm_failover_clients',
    help: 'Clients in the record: who would be notified at the next takeover.',
    samples: ({ status }) => number(status?.record?.clients),
  },
  {
    name: 'nlm_failover_clients_not_notified',
    help: 'Clients of the last takeover that are still to be notified.',
    samples: ({ status }) => number(status?.record?.notNotified),
  },
  {
    name: 'nlm_failover_clients_monitored',
    help: 'Clients that the rpc.statd monitors here that serves the address.',
    samples: ({ monitored }) => number(monitored),
  },
  {
    name: 'nlm_failover_clients_unrecorded',
    help: 'Clients that rpc.statd monitors here and the record has not: they would not be notified.',
    samples: ({ status }) => number(status?.unrecorded.length),
  },
  {
    name: 'nlm_failover_findings',
    help: 'What audits found and nobody has acknowledged. lost: locks; silent and not-notified: clients that may have lost theirs.',
    samples: ({ status }) =>
      verdicts.flatMap((verdict): readonly Sample[] =>
        status?.record === undefined
          ? []
          : [[{ verdict }, status.record.findings.filter((one) => one.verdict === verdict).length]],
      ),
  },
  {
    name: 'nlm_failover_grace_left_seconds',
    help: 'What is left of the grace period of the lock manager that serves the address here; 0 where none runs.',
    samples: ({ graceLeft }) => number(graceLeft),
  },
  {
    name: 'nlm_failover_daemon_up',
    help: 'Whether a daemon of the instance of the address runs, is registered and answers.',
    samples: ({ status }) =>
      Object.entries(status?.lockManager?.daemons ?? {}).map(([daemon, state]): Sample => [
        { daemon },
        state === 'running' ? 1 : 0,
      ]),
  },
  {
    name: 'nlm_failover_callout_marks',
    help: 'What the callout could not write, or not make durable.',
    samples: ({ status }) => number(status?.marks.length),
  },
  {
    name: 'nlm_failover_last_operation_start_timestamp_seconds',
    help: 'When the last release, takeover or notify of the address began, on any node.',
    samples: ({ status }) =>
      lastOperation(status, ({ kind, node, startedAt }) => [[{ kind, node }, seconds(startedAt)]]),
  },
  {
    name: 'nlm_failover_last_operation_duration_seconds',
    help: 'How long it took; absent while it runs, or where it was interrupted.',
    samples: ({ status }) =>
      lastOperation(status, ({ kind, node, startedAt, endedAt }) =>
        endedAt === null ? [] : [[{ kind, node }, rounded(seconds(endedAt) - seconds(startedAt))]],
      ),
  },
  {
    name: 'nlm_failover_last_operation_outcome',
    help: 'How it ended: 1 for that, 0 for the others.',
    samples: ({ status }) =>
      lastOperation(status, ({ kind, node, outcome }) =>
        outcomes.map((one): Sample => [
          { kind, node, outcome: one },
          (outcomes.find((known) => known === outcome) ?? 'unfinished') === one ? 1 : 0,
        ]),
      ),
  },
];

/** As a record has them, and what status calls running or interrupted. */
const outcomes = ['done', 'not-notified', 'failed', 'unfinished'] as const;

type LastOperation = NonNullable<NonNullable<AddressStatus['record']>['lastOperation']>;

function lastOperation(
  status: AddressStatus | undefined,
  samples: (last: LastOperation) => readonly Sample[],
): readonly Sample[] {
  const last = status?.record?.lastOperation;
  return last === undefined || last === null ? [] : samples(last);
}

/** To the millisecond that it is known to. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
