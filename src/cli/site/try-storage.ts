import { type Command, Option } from 'commander';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions, parseSeconds } from '../options.js';

interface TryStorageOptions extends CommonOptions {
  readonly wait: number;
}

/** nlm-failover try-storage: whether shared storage keeps what two nodes write at once. */
export function addTryStorage(program: Command, io: Io, drivers: LoadDrivers): void {
  addCommonOptions(
    program
      .command('try-storage')
      .summary('try with another node whether shared storage keeps the record')
      .description(
        'Try whether the storage that records lie on keeps what two nodes write at once, as some file systems do only with other options than their defaults. To be run on two nodes at about the same time, before the first ' +
          'takeover, and again where the storage was mounted otherwise. Both count up in a database of their own in the state directory, with the settings of a record, and append to files, until each has written some 25 times; then ' +
          'each looks at what is there. No record is touched, and an address may be served meanwhile.\n\n' +
          'The verdict is kept beside the records for each node, with how the storage is mounted there, and `check` says it. Where something was lost, the message names the options that keep it. Of more than two nodes each is to be tried with one other.',
      )
      .argument(
        '[address]',
        'one floating IP (default: all of the configuration whose record lies on shared storage)',
      )
      .addOption(
        new Option('--wait <seconds>', 'how long to wait for the other node')
          .default(120)
          .argParser(parseSeconds),
      ),
  ).action(async (address: string | undefined, options: TryStorageOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { tryShared } = await import('../../site/storage/try-storage.js');
    const { host, config, floatingIps } = await openReader(drivers, address, options);
    const isJson = options.json === true;
    const say = (text: string): void => {
      if (!isJson) io.out(text);
    };
    const tried = await tryShared(host, config, floatingIps, {
      waitSeconds: options.wait,
      onBegin: (directory) =>
        say(`try-storage ${directory} on ${config.node}: waits for another node, ${options.wait} s\n`),
      onOther: (directory, node) => say(`try-storage ${directory}: ${node} is there; both write\n`),
    });
    for (const { directory, ...verdict } of tried) {
      const { node, other, written } = verdict;
      if (isJson) io.out(`${JSON.stringify({ result: 'done', directory, ...verdict })}\n`);
      else
        say(
          `try-storage ${directory}: nothing was lost; ${node} wrote ${written[node]} times, ${other} ${written[other]} times\n`,
        );
    }
    if (tried.length === 0)
      if (isJson) io.out(`${JSON.stringify({ result: 'done', tried: 0 })}\n`);
      else
        say(
          'try-storage: every record lies on a volume that one node has at a time: there is nothing to try\n',
        );
  });
}
