import path from 'node:path';
import { defaultConfigFile } from '../../config/load-config.js';
import { exitCodes, FailoverError } from '../../errors.js';

// What keepalived.conf(5) has of an address, of keepalived 2.2.7 (Debian 12) and later.

export const mainFile = '/etc/keepalived/keepalived.conf';
/** What lies beside it belongs to whoever put it there. */
const ownDirectory = '/etc/keepalived/conf.d';
/** keepalived's track_files, which callouts/keepalived/nlm-failover-notify writes. */
export const awayDirectory = '/var/lib/nlm-failover/keepalived';

/** For how many seconds a takeover waits for the node that has just lost its mastership; callouts/keepalived/nlm-failover-notify has it too. */
const patience = 60;

const made = '# Made by "nlm-failover setup --keepalived"; "nlm-failover setup --undo" takes it away.\n';

/** What is the site's own choice. */
export interface Election {
  /** virtual_router_id: of one address, the same on both nodes, of no other one in that network. */
  readonly router: number;
  readonly priority: number;
  /** The other nodes; none: multicast. */
  readonly peers: readonly string[];
}

export function instanceFile(address: string): string {
  return `${ownDirectory}/nlm-failover-${address}.conf`;
}

/** The address of a file of setup; undefined: it is none of these. */
export function addressOfInstance(file: string): string | undefined {
  const [, address] = /^\/etc\/keepalived\/conf\.d\/nlm-failover-(.*)\.conf$/.exec(file) ?? [];
  return address;
}

export function awayFile(address: string): string {
  return path.join(awayDirectory, `${address}.away`);
}

/** The file of everything, where keepalived has none yet. */
export function mainText(): string {
  return `${made}global_defs {
    enable_script_security
    script_user root
}
${includeLine}
`;
}

export const includeLine = `include ${ownDirectory}/*.conf`;

/** Whether a file that somebody else wrote reads those of setup: any of the include words of keepalived.conf(5). */
export function includesOurs(text: string): boolean {
  return /^[ \t]*include[a-z]*[ \t]+"?(?:\/etc\/keepalived\/)?conf\.d\/(?:nlm-failover-)?\*(?:\.conf)?"?[ \t]*$/m.test(
    text,
  );
}

export interface InstanceText {
  readonly address: string;
  readonly interface: string;
  readonly election: Election;
  /** callouts/keepalived/nlm-failover-notify. */
  readonly script: string;
  /** The configuration file of nlm-failover. */
  readonly config: string;
  /** Whether this keepalived knows no_virtual_ipaddress, as 2.2.8 and later do. */
  readonly saysNoAddress: boolean;
}

/**
 * One vrrp_instance without an address: keepalived elects, and the address is nlm-failover's (B-4). VRRP 2, as version 3 wants an address
 * (keepalived vrrp.c, vrrp_complete_instance), and over IPv4 whatever the address is. Whoever has it keeps it (nopreempt).
 */
export function instanceText({ address, election, ...ip }: InstanceText): string {
  const name = instanceName(address);
  const words = [ip.script, address, ...(ip.config === defaultConfigFile ? [] : ['--config', ip.config])];
  const peers = election.peers.map((peer) => `        ${peer}\n`).join('');
  return `${made}# keepalived fences nobody: KEEPALIVED AND OTHERS in nlm-failover(8).
track_file ${name} {
    file "${awayFile(address)}"
    weight 0
    init_file 0 overwrite
}
vrrp_instance ${name} {
    version 2
    strict_mode off
${ip.saysNoAddress ? '    no_virtual_ipaddress\n' : ''}    state BACKUP
    nopreempt
    interface ${ip.interface}
    virtual_router_id ${election.router}
    priority ${election.priority}
    advert_int 1
${peers === '' ? '' : `    unicast_peer {\n${peers}    }\n`}    track_file {
        ${name}
    }
    notify "${words.map(confWord).join(' ')}" root
}
`;
}

/** What such a file says, as it was written by setup. */
export function readElection(text: string): Partial<Election> {
  const number = (key: string) => {
    const [, digits] = new RegExp(`^ *${key} (\\d+)$`, 'm').exec(text) ?? [];
    return digits === undefined ? undefined : Number(digits);
  };
  const [, peers = ''] = /^ *unicast_peer \{\n([^}]*)\}/m.exec(text) ?? [];
  const router = number('virtual_router_id');
  const priority = number('priority');
  return {
    ...(router === undefined ? {} : { router }),
    ...(priority === undefined ? {} : { priority }),
    peers: peers.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()])),
  };
}

/** The unit of an address where keepalived starts it: it is stopped before keepalived at a shutdown, and tells it that a start failed. */
export function unitText(script: string): string {
  return `${made}[Unit]
After=keepalived.service
[Service]
Environment=TAKEOVER_OPTIONS=--await-release=${patience}
ExecStopPost=${confWord(script)} --ended %i
`;
}

/** nfs-10.10.1.1: a name without colons. */
function instanceName(address: string): string {
  return `nfs-${address.replaceAll(':', '-')}`;
}

/** Throws CONFIG_INVALID where a word has a character that means something to keepalived or systemd. */
function confWord(word: string): string {
  if (/^[\w@+=:,./-]+$/.test(word)) return word;
  throw new FailoverError(`${JSON.stringify(word)} cannot stand in keepalived.conf`, {
    code: 'CONFIG_INVALID',
    exitCode: exitCodes.configuration,
    operation: 'writing keepalived.conf',
    hint: 'Install nlm-failover, and put its configuration, where the path has letters, digits and _@+=:,./- only.',
  });
}
