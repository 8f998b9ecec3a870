import { isIP } from 'node:net';
import * as v from 'valibot';

// What notify-child and the command notify-worker say to each other: one JSON value a line.

export const workerCommand = 'notify-worker';

/** The one line that the worker reads, once it is ready. The end of its input interrupts it. */
const job = v.strictObject({
  source: v.pipe(
    v.strictObject({ address: v.string(), family: v.picklist([4, 6]) }),
    v.check(({ address, family }) => isIP(address) === family, 'the source is not an address of its family'),
  ),
  names: v.pipe(v.array(v.string()), v.minLength(1)),
  state: v.pipe(v.number(), v.integer()),
  pair: v.exactOptional(v.boolean()),
  clients: v.array(v.string()),
  seen: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  deadlineMs: v.pipe(v.number(), v.minValue(0)),
  rpcbindPort: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535))),
});

const progress = v.strictObject({ notified: v.number(), total: v.number() });
/** Who was notified has been said before; who was not, by reason: of a million clients there are not a million. */
const result = v.strictObject({
  notNotified: v.array(v.strictObject({ reason: v.string(), clients: v.array(v.string()) })),
  sourceUsed: v.string(),
  privilegedPort: v.boolean(),
});

/** What the worker writes: `ready` first, when SIGTERM interrupts it and no longer kills it; `result` last. */
const message = v.union([
  v.strictObject({ ready: v.literal(true) }),
  v.strictObject({ progress }),
  v.strictObject({ notified: v.array(v.string()) }),
  v.strictObject({ result }),
]);

export type WorkerJob = v.InferOutput<typeof job>;
export type WorkerResult = v.InferOutput<typeof result>;
export type WorkerMessage = v.InferOutput<typeof message>;

/** A line of the worker's input, or a clause that says what is wrong with it. */
export function readJob(line: string): WorkerJob | string {
  const value = fromJson(line);
  if (value instanceof SyntaxError) return value.message;
  const parsed = v.safeParse(job, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const at = v.getDotPath(issue);
  return at === null ? issue.message : `${at}: ${issue.message}`;
}

/** A line of the worker's output, undefined if it is none of its messages. */
export function readMessage(line: string): WorkerMessage | undefined {
  const parsed = v.safeParse(message, fromJson(line));
  return parsed.success ? parsed.output : undefined;
}

/** The value of a JSON text; for any other text what JSON.parse throws, which no schema accepts. */
function fromJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    return error;
  }
}
