import type { Server } from '../server.js';

export const clusterNodes = ['A', 'B'] as const;

/**
 * corosync.conf(5) of both nodes. The token is that of a machine on which a guest may not run for a second: a node that is only slow
 * must not be taken for dead. Neither knet nor the black box, which fill 70 MB at the start: a guest takes a second for that. Neither node has quorum until it
 * has seen the other one once (votequorum(5), wait_for_all): else the one that is there first fences the other, which only starts yet.
 */
export function corosyncConf(servers: readonly Server[], tokenMs: number): string {
  const nodes = servers.map(
    ({ name, address }, index) => `  node {
    name: ${name}
    nodeid: ${index + 1}
    ring0_addr: ${address}
  }
`,
  );
  return `totem {
  version: 2
  cluster_name: lab
  transport: udpu
  crypto_cipher: none
  crypto_hash: none
  token: ${tokenMs}
}
nodelist {
${nodes.join('')}}
quorum {
  provider: corosync_votequorum
  two_node: 1
  wait_for_all: 1
}
logging {
  blackbox: off
  to_stderr: no
  to_syslog: no
  to_logfile: yes
  logfile: /var/log/corosync.log
}
`;
}

/** Where the links are cut, both nodes fence each other: B is fenced so many seconds later, and so is the one that stays. */
const staySeconds = 8;

function fenceDevice(node: string): string {
  const delay =
    node === 'B'
      ? `\n          <nvpair id="fence-B-delay" name="pcmk_delay_base" value="${staySeconds}s"/>`
      : '';
  return `      <primitive id="fence-${node}" class="stonith" type="fence_lab">
        <instance_attributes id="fence-${node}-attributes">
          <nvpair id="fence-${node}-host" name="pcmk_host_list" value="${node}"/>${delay}
        </instance_attributes>
        <operations>
          <op id="fence-${node}-monitor" name="monitor" interval="3600s" timeout="60s"/>
        </operations>
      </primitive>`;
}

/**
 * The first cluster information base, the same on both nodes. Fencing switches a node off, and not on again: the test does, when
 * it wants to. No node waits longer for another than `dc-deadtime`, when it starts. What serves, stays.
 */
export function firstCib(): string {
  const options = {
    'dc-deadtime': '2s',
    'stonith-enabled': 'true',
    'stonith-action': 'off',
    'stonith-timeout': '60s',
    // Else it does one action at a time on a machine with this much load.
    'load-threshold': '10000%',
  };
  const pairs = Object.entries(options).map(
    ([name, value]) => `        <nvpair id="lab-${name}" name="${name}" value="${value}"/>`,
  );
  // A node does not fence itself.
  const constraints = clusterNodes.map(
    (node) =>
      `      <rsc_location id="fence-${node}-elsewhere" rsc="fence-${node}" node="${node}" score="-INFINITY"/>`,
  );
  // Whatever serves an address begins on A, and does not come back to it by itself: less than its stickiness.
  const first = '      <rsc_location id="lab-first-on-A" rsc-pattern="^(nfs|stock)-" node="A" score="50"/>';
  return `<cib crm_feature_set="3.1.0" validate-with="pacemaker-3.0" epoch="1" num_updates="0" admin_epoch="0">
  <configuration>
    <crm_config>
      <cluster_property_set id="lab-options">
${pairs.join('\n')}
      </cluster_property_set>
    </crm_config>
    <nodes/>
    <resources>
${clusterNodes.map(fenceDevice).join('\n')}
    </resources>
    <constraints>
${[...constraints, first].join('\n')}
    </constraints>
    <rsc_defaults>
      <meta_attributes id="lab-defaults">
        <nvpair id="lab-stickiness" name="resource-stickiness" value="100"/>
      </meta_attributes>
    </rsc_defaults>
  </configuration>
  <status/>
</cib>
`;
}
