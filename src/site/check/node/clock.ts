import type { Host } from '../../../host/host.js';
import { isMissing } from '../../../host/running/command.js';
import { type Check, type Finding, type NodeSite, ok, warning } from '../check.js';

/** How far in the future the last operation may have been, ms: more is no delay, but another clock. */
const tolerated = 30_000;

/** Records and journals of several nodes are put in order by their clocks. */
export const clockCheck: Check<NodeSite> = {
  name: 'clock',
  text: "whether the clock is synchronised (timedatectl(1)), and behind that of the node that wrote the record's last operation",
  look: async ({ reader: { host }, addresses }) => {
    const now = host.now();
    const ahead = addresses.flatMap(({ ip, standing }): Finding[] => {
      const last = standing.record?.last;
      const at = Math.max(last?.startedAt ?? 0, last?.endedAt ?? 0);
      if (last === undefined || at <= now + tolerated) return [];
      const seconds = Math.round((at - now) / 1000);
      return [
        warning(
          `the last ${last.kind} of ${ip.address}, on ${last.node}, is ${seconds} s in the future of this clock`,
          'Set the clocks of the nodes, best by NTP: they tell which of two events came first.',
        ),
      ];
    });
    if (ahead.length > 0) return ahead;
    const synchronised = await isSynchronised(host);
    if (synchronised === true) return [ok('synchronised')];
    return [
      warning(
        synchronised === false
          ? 'the clock is not synchronised'
          : 'whether the clock is synchronised cannot be seen: timedatectl does not say',
        'Run chrony, systemd-timesyncd or another NTP client on every node: their clocks tell which of two events came first.',
      ),
    ];
  },
};

async function isSynchronised(host: Host): Promise<boolean | undefined> {
  try {
    // Of timedated, which asks the kernel (adjtimex(2), STA_UNSYNC), so that it does not matter who keeps the clock.
    const { stdout } = await host.run(['timedatectl', 'show', '--property=NTPSynchronized', '--value'], {
      short: true,
    });
    const said = stdout.trim();
    return said === 'yes' ? true : said === 'no' ? false : undefined;
  } catch (error) {
    if (!isMissing(error)) throw error;
    return undefined;
  }
}
