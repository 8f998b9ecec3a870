import { commandText, handLines } from '../../host/action.js';
import type { LockManager } from '../../lockmanager/port.js';
import { stepTitles } from '../../step-names.js';
import type { Plan } from './steps.js';

/** What stands in the lines for the way into an instance, as a function of the shell. */
const inside = 'inside';

/** A plan as lines for a shell, without this program, each step below a comment with its name. */
export function planByHand({ steps }: Plan, { enter }: Pick<LockManager, 'enter'>): string[] {
  const way = commandText(enter);
  const lines = steps
    .filter(({ covered }) => covered === undefined)
    .flatMap(({ name, actions }) => [
      `# ${name}  ${stepTitles[name]}`,
      ...actions.flatMap((action) => handLines(action)),
    ]);
  if (enter.length === 0) return lines;
  return [`${inside}() { ${way} "$@"; }`, ...lines.map((line) => line.replaceAll(`${way} `, `${inside} `))];
}
