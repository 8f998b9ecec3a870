import { readFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../lab/project-root.js';

/** What one command of Pacemaker answered. */
export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** By the command line, its words with blanks between them. */
export type Answers = Readonly<Record<string, Answer>>;

/** What was recorded of a real cluster: test/fencing/fixtures; and of real fence agents, one that takes the power, or the disks. */
export function recordedAnswers(name: string, devices: 'power' | 'fabric' = 'power'): Answers {
  return { ...readAnswers(name), ...readAnswers(`devices-${devices}`) };
}

function readAnswers(name: string): Answers {
  const text = readFileSync(path.join(projectRoot(), 'test/fencing/fixtures', `${name}.txt`), 'utf8');
  const answers: Record<string, Answer> = {};
  for (const block of text.split(/^\$ /m).slice(1)) {
    const [command = '', ...lines] = block.split('\n');
    const end = lines.findLastIndex((line) => line.startsWith('= '));
    const said = lines.slice(0, end);
    const stderr = said.filter((line) => line.startsWith('! ')).map((line) => line.slice(2));
    const stdout = said.filter((line) => !line.startsWith('! '));
    const asText = (all: readonly string[]) => all.map((line) => `${line}\n`).join('');
    answers[command] = {
      exitCode: Number(lines[end]?.slice(2)),
      stdout: asText(stdout),
      stderr: asText(stderr),
    };
  }
  return answers;
}

const time = /(?<=completed=")[^"]*(?=")/g;

/** The same, as if the last fencing in it had been at that time, ms since 1970, and all others as long before it as they were. */
export function asOf(answers: Answers, at: number): Answers {
  const all = Object.values(answers).flatMap(({ stdout }) => stdout.match(time) ?? []);
  const last = Math.max(...all.map((one) => Date.parse(one)));
  const moved = (text: string) => new Date(Date.parse(text) - last + at).toISOString().replace('T', ' ');
  return changed(answers, (text) => text.replaceAll(time, moved));
}

/** Each answer with its standard output changed. */
export function changed(answers: Answers, change: (stdout: string, command: string) => string): Answers {
  return Object.fromEntries(
    Object.entries(answers).map(([command, answer]) => [
      command,
      { ...answer, stdout: change(answer.stdout, command) },
    ]),
  );
}
