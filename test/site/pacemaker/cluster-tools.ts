// Pacemaker's own tools, pcs and crmsh on a CIB in a file: no daemon runs.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { projectRoot } from '../../lab/project-root.js';

const programs = [
  'cibadmin',
  'crm_diff',
  'crm_resource',
  'crm_simulate',
  'crm_verify',
  'pcs',
  'crm',
  'unshare',
];

/** Why these tests cannot run here; undefined: they can. */
export function clusterToolsMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, for a mount namespace with the agents in place';
  const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0);
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Our agents. */
const agents = path.join(projectRoot(), 'callouts', 'ocf');

/** Nodes, A and B unless others are given, that are up; fencing is on, with a device. */
export function emptyCib(
  options: { readonly fencing?: string; readonly device?: boolean; readonly nodes?: readonly string[] } = {},
): string {
  const { fencing = 'true', device = true, nodes = ['A', 'B'] } = options;
  // Of the feature set that these tools have: a newer one they would not touch.
  const made = spawnSync('cibadmin', ['--empty'], { encoding: 'utf8' }).stdout;
  const [, attributes = ''] = /<cib ([^>]*)>/.exec(made) ?? [];
  const fence = `<primitive id="fence" class="stonith" type="fence_test"><operations><op id="fence-monitor" name="monitor" interval="60s"/></operations></primitive>`;
  const state = (id: string, name: string) =>
    `<node_state id="${id}" uname="${name}" in_ccm="true" crmd="online" join="member" expected="member" crm-debug-origin="test"><lrm id="${id}"><lrm_resources/></lrm></node_state>`;
  return `<cib ${attributes} have-quorum="1" dc-uuid="1">
  <configuration>
    <crm_config><cluster_property_set id="cib-bootstrap-options"><nvpair id="cib-bootstrap-options-stonith-enabled" name="stonith-enabled" value="${fencing}"/></cluster_property_set></crm_config>
    <nodes>${nodes.map((name, at) => `<node id="${at + 1}" uname="${name}"/>`).join('')}</nodes>
    <resources>${device ? fence : ''}</resources>
    <constraints/>
  </configuration>
  <status>${nodes.map((name, at) => state(`${at + 1}`, name)).join('')}</status>
</cib>
`;
}

/** A cluster in a file, with this configuration of nlm-failover beside it. */
export class PaperCluster {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-cib-test-'));
  readonly cib = path.join(this.directory, 'cib.xml');
  readonly toml = path.join(this.directory, 'nlm-failover.toml');

  constructor(toml: string, cib = emptyCib()) {
    writeFileSync(this.toml, toml);
    writeFileSync(this.cib, cib);
  }

  read(): string {
    return readFileSync(this.cib, 'utf8');
  }

  write(cib: string): void {
    writeFileSync(this.cib, cib);
  }

  /** `nlm-failover pacemaker` with these arguments. */
  tool(...args: readonly string[]): Promise<Ended> {
    return this.command('pacemaker', ...args);
  }

  /** `nlm-failover COMMAND` with these arguments. */
  command(name: string, ...args: readonly string[]): Promise<Ended> {
    const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
    return this.run([process.execPath, bin, name, '--config', this.toml, ...args]);
  }

  /** A command whose cluster is the file, with our agents where Pacemaker looks for them. */
  run(argv: readonly string[], input = ''): Promise<Ended> {
    // A file system of its own, so that the machine's stays as it is.
    const inside = `
      where=/usr/lib/ocf/resource.d
      mount -t tmpfs tmpfs "$1" && mkdir "$1/heartbeat" && mount --bind "$where/heartbeat" "$1/heartbeat" &&
      ln -s "$2" "$1/nlm-failover" && mount --rbind "$1" "$where" || exit 99
      shift 2; exec "$@"`;
    const place = mkdtempSync(path.join(this.directory, 'ns-'));
    return new Promise((resolve) => {
      const child = execFile(
        'unshare',
        ['--mount', '--propagation', 'private', 'sh', '-c', inside, 'sh', place, agents, ...argv],
        { env: { ...process.env, CIB_file: this.cib, LC_ALL: 'C.UTF-8' }, cwd: this.directory },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
      );
      child.stdin?.end(input);
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
