import { readPort } from './lock-manager-words.js';
import { renderPath, type Problem, Wrong } from './problem.js';

type Table = Readonly<Record<string, unknown>>;

const portKeys = ['mountd_port', 'statd_port', 'lockd_port'] as const;

/** What the values of [lock_manager] must be to each other; passes over what is wrong in itself. */
export function lockManagerProblems(table: Table): Problem[] {
  return [...bridgeProblems(table), ...portProblems(table)];
}

function bridgeProblems({ link, bridge }: Table): Problem[] {
  const path = ['lock_manager', 'bridge'];
  if (link === 'veth' && bridge === undefined) {
    return [{ path, message: 'link "veth" needs the name of an existing bridge, such as "br0"' }];
  }
  // Whoever names a bridge relies on it, so it is not passed over in silence.
  if (bridge !== undefined && (link === undefined || link === 'macvlan' || link === 'ipvlan')) {
    return [{ path, message: 'only link "veth" joins a bridge: write link = "veth", or leave bridge out' }];
  }
  return [];
}

function portProblems(table: Table): Problem[] {
  const seen = new Map<number, Problem['path']>();
  return portKeys.flatMap((key) => {
    const path = ['lock_manager', key];
    const port = readPort(table[key]);
    if (port instanceof Wrong) return [];
    const before = seen.get(port);
    if (before) {
      return [{ path, message: `this port is already at ${renderPath(before)}; each service has its own` }];
    }
    seen.set(port, path);
    return [];
  });
}
