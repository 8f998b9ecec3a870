import type { Command } from 'commander';
import type { Io } from '../io.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

/** nlm-failover init: a configuration from what runs on this host. */
export function addInit(program: Command, io: Io): void {
  addCommonOptions(
    program
      .command('init')
      .summary('write a configuration from what runs on this host')
      .description(
        'Write a configuration for one floating IP to standard output, from what runs on this host: what is exported, and to whom (/var/lib/nfs/etab), on which file systems, from which ' +
          'devices by names that stay, with which fsid; the address with interface and prefix length; the state volume, where there is one. Touches nothing.\n\n' +
          'Where something had to be guessed a comment says GUESSED. What cannot be known is a value that begins with WRITE HERE: with it the configuration is refused, and the message says what is wanted. ' +
          'All that is exported here is put under the one address; what another address serves is to be taken out.',
      )
      .argument(
        '[address]',
        'the floating IP; needed where this host has several addresses, and may be one that is not up yet',
      ),
  ).action(async (address: string | undefined, options: CommonOptions) => {
    const { openHost } = await import('../open-host.js');
    const { requireRoot } = await import('../require-root.js');
    const { describeSite } = await import('../../site/init/describe.js');
    const { configText } = await import('../../site/init/config-text.js');
    const { host } = await openHost();
    requireRoot(host);
    const site = await describeSite(host, address);
    const text = configText(site);
    io.out(
      options.json === true
        ? `${JSON.stringify({ address: site.address ?? null, configuration: text })}\n`
        : text,
    );
  });
}
