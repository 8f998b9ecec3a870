import { addressChecks, nodeChecks } from '../site/check/checks.js';
import type { ManSection } from './man-page.js';

/** CHECK of nlm-failover(8): what each check looks at, as the list of them says it. */
export const checkSection: ManSection = {
  title: 'CHECK',
  blocks: [
    {
      text:
        '`nlm-failover check` looks at what a failover will need on this node, as it is now. What only a failover itself can find is not in it: whether the other node lets go in time, and whether a client ' +
        'reclaims. A `FAILURE` would stop a takeover, or cost locks; a `WARNING` is worth a look. Below each stands what to do.\n\nOnce for the node:',
    },
    { terms: nodeChecks.map(({ name, text }) => [name, text] as const) },
    { text: 'For each address:' },
    { terms: addressChecks.map(({ name, text }) => [name, text] as const) },
  ],
};
