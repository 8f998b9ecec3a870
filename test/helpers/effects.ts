import { commandText } from '../../src/host/action.js';
import type { Host } from '../../src/host/host.js';

/** Commands that only ask. */
const question =
  /^(?:ip -j |ss -Htn |arping -h$|dd if=\S+ (?:of=\/dev\/null|bs=4096 count=1) ?|stat -L |blkid |modinfo -n |busctl .* (?:get_grace|ShowExports)$)/;

export interface Recording {
  /** As the one given; what it was asked to do since `take` was called last is kept. */
  readonly host: Host;
  /** Commands and writes, as `--dry-run` has them; what only asks is left out. */
  readonly take: () => string[];
}

/** A host that notes what is done on it. */
export function recording(host: Host): Recording {
  let effects: string[] = [];
  return {
    host: {
      ...host,
      run: (argv, options) => {
        const text = commandText(argv);
        if (!question.test(text)) effects.push(text);
        return host.run(argv, options);
      },
      writeKernel: (file, text) => {
        effects.push(`echo ${text.trim()} > ${file}`);
        return host.writeKernel(file, text);
      },
    },
    take: () => {
      const taken = effects;
      effects = [];
      return taken;
    },
  };
}

/** What was done and stands in no line of `commands`, where quotes do not count, nor how busctl is to answer. */
export function unsaid(effects: readonly string[], commands: readonly string[]): string[] {
  const plain = (text: string) => text.replaceAll("'", '').replace(/ --json=short --timeout=\d+/, '');
  const said = commands.map((command) => plain(command.replace(/\s+#.*$/, '')));
  return effects.filter((effect) => !said.includes(plain(effect)));
}
