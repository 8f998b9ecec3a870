import type { Netns, Program } from './netns.js';

interface Asked {
  readonly program: Program;
  questions: number;
}

const asked = new WeakMap<Netns, Map<string, Asked>>();

function askedIn(host: Netns, script: string): Asked {
  const inHost = asked.get(host) ?? new Map<string, Asked>();
  asked.set(host, inHost);
  const there = inHost.get(script);
  if (there !== undefined) return there;
  const made = { program: host.start(process.execPath, [script]), questions: 0 };
  inHost.set(script, made);
  return made;
}

/**
 * Asks a program of a namespace in a line, one question at a time; it answers with the number of the line and JSON, which is
 * returned. One process for each namespace: to load the modules takes it ten times as long as to answer. Rejects where it has ended.
 */
export async function askInside<T>(host: Netns, script: string, line: string): Promise<T> {
  const ask = askedIn(host, script);
  ask.questions += 1;
  ask.program.write(line);
  const [, answer = ''] = await ask.program.saw(new RegExp(`^${ask.questions} (.*)\n`, 'm'));
  return JSON.parse(answer) as T;
}
