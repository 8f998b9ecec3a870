import { hookEvents } from '../../../config/config.js';
import { whyUnfit } from '../../../host/way.js';
import { type Check, type Finding, type NodeSite, orElse, warning } from '../check.js';

/** A failover goes on without them; whoever was to be told is not. */
export const hooksCheck: Check<NodeSite> = {
  name: 'hooks',
  text: 'whether the programs of [hooks] are there, and nobody but root can write to them or put others in their place',
  look: async ({ reader: { host, config } }) => {
    const found: Finding[] = [];
    for (const event of hookEvents) {
      const program = config.hooks.on[event]?.[0];
      if (program === undefined) continue;
      const unfit = await whyUnfit(host.path(program));
      if (unfit !== undefined)
        found.push(
          warning(
            `on_${event} (${program}) would not be run: ${unfit}`,
            'Make it an executable file that belongs to root, in directories that do, and that nobody else can write.',
          ),
        );
    }
    return orElse(
      found,
      Object.keys(config.hooks.on).length === 0 ? 'none' : 'those that there are can be run',
    );
  },
};
