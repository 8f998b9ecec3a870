import { messageOf } from '../errors.js';
import { type Argv, commandText, type Host } from '../host/host.js';
import { runCommand } from '../host/running/command.js';
import { isTimeout } from '../host/running/deadline.js';
import { whyUnfit } from '../host/way.js';
import { isNodeName, nodeNameRule } from '../names.js';
import type { Program } from '../config/config.js';
import { nodeWord } from '../config/schema.js';
import { notFenced, orByWord, type Prover } from './prover.js';

/** As much of what it prints last is kept, bytes, and of that for the sentence. */
const keptOutput = 4096;
const keptSentence = 300;

/**
 * [fencing] command: whatever it is, it is run for the recorded owner and for nobody else, and only its exit code 0 counts, within its
 * time. It is run anew for each takeover: that it succeeded once says nothing of now.
 */
export function commandProver(host: Host, command: Program): Prover {
  return {
    name: 'command',
    asks: (node) => [commandText(wordsFor(command, node))],
    prove: async (suspect) => {
      const { node, address } = suspect;
      const [program, ...args] = wordsFor(command, node);
      const not = (because: string) =>
        notFenced(
          suspect,
          `the command of [fencing] (${program}) ${because}`,
          hintFor(command, node, address),
        );
      // The name comes from the record, which other nodes write.
      if (!isNodeName(node)) throw not(`was not run: ${nodeNameRule}`);
      // A rehearsal runs those that lie in it.
      const file = host.path(program);
      const unfit = await whyUnfit(file);
      if (unfit !== undefined) throw not(`was not run: ${unfit}`);
      try {
        const { exitCode, stdout, stderr } = await runCommand([file, ...args], {
          bare: true,
          keep: keptOutput,
          keepsEnd: true,
        });
        const said = lastLine(stderr) ?? lastLine(stdout);
        if (exitCode !== 0) throw not(`ended with ${exitCode}${said === undefined ? '' : `: ${said}`}`);
        const proved = lastLine(stdout) ?? lastLine(stderr);
        return `${node} was fenced by ${program}, ${new Date(host.now()).toISOString()}${proved === undefined ? '' : `: ${proved}`}`;
      } catch (error) {
        if (!isTimeout(error)) throw error;
        throw not(`did not end in time (${messageOf(error)})`);
      }
    },
  };
}

function wordsFor([program, ...args]: Program, node: string): Argv {
  return [program, ...args.map((word) => word.replaceAll(nodeWord, () => node))];
}

function hintFor(command: Program, node: string, address: string): string {
  return `See what it says: ${commandText(wordsFor(command, node))}. ${orByWord(address)}`;
}

/** As it goes on a terminal and into the record. */
function lastLine(text: string): string | undefined {
  const line = text
    .split(/[\r\n]/u)
    .map((one) =>
      one
        .replaceAll(/[^\P{C}\t]/gu, '?')
        .replaceAll(/\s+/gu, ' ')
        .trim(),
    )
    .findLast((one) => one !== '');
  return line?.slice(0, keptSentence);
}
