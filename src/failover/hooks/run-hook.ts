import type { Config } from '../../config/config.js';
import { messageOf } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { runCommand } from '../../host/running/command.js';
import { within } from '../../host/running/deadline.js';
import { whyUnfit } from '../../host/way.js';
import { saidOf } from '../../host/action.js';
import { limitOf } from '../limits.js';
import type { Event } from './event.js';

/** As much of what a hook prints is read and kept, bytes: for the sentence. */
const keptOutput = 2000;
const keptSentence = 300;

/**
 * Runs what the configuration has for an event, with the event as a line of JSON on its standard input, in an environment of LC_ALL and
 * PATH alone. Whatever it does is over at its deadline. Returns what was wrong with it, as a sentence without its full stop; undefined:
 * it ended with 0, or there is none. Throws nothing.
 */
export async function runHook(
  { host, config }: { readonly host: Host; readonly config: Config },
  event: Event,
): Promise<string | undefined> {
  const { on, deadline } = config.hooks;
  const [program, ...args] = on[event.event] ?? [];
  if (program === undefined) return undefined;
  const name = `The hook on_${event.event} (${program})`;
  try {
    // A rehearsal runs those that lie in it.
    const file = host.path(program);
    const unfit = await whyUnfit(file);
    if (unfit !== undefined) return `${name} was not run: ${unfit}`;
    const limit = { ...limitOf(name, config), seconds: deadline, key: '[hooks].deadline' };
    const options = { input: `${JSON.stringify(event)}\n`, bare: true, keep: keptOutput };
    const result = await within(limit, () => runCommand([file, ...args], options));
    if (result.exitCode === 0) return undefined;
    return `${name} ended with ${result.exitCode}: ${saidOf(result).slice(0, keptSentence)}`;
  } catch (error) {
    const message = messageOf(error);
    return message.startsWith(name) ? message : `${name}: ${message}`;
  }
}
