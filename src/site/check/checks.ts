import { addressCheck } from './address/address.js';
import { calloutCheck } from './address/callout.js';
import { driverCheck } from './address/driver.js';
import { exportsCheck } from './address/exports.js';
import { networkCheck } from './address/network.js';
import { nodesCheck } from './address/nodes.js';
import { othersCheck } from './address/others.js';
import { portsCheck } from './address/ports.js';
import { sharingCheck } from './address/sharing.js';
import { recordCheck } from './address/record.js';
import { unitCheck } from './address/unit.js';
import { volumesCheck } from './address/volumes.js';
import type { AddressSite, Check, NodeSite } from './check.js';
import { clockCheck } from './node/clock.js';
import { fencingCheck } from './node/fencing.js';
import { hooksCheck } from './node/hooks.js';
import { kernelCheck } from './node/kernel.js';
import { nfsConfCheck } from './node/nfs-conf.js';

import { programsCheck } from './node/programs.js';
import { runDirectoryCheck } from './node/run-directory.js';

// Every check there is, in the order in which they are said. A test has a site for each that makes it fail.

/** Once for the node. */
export const nodeChecks: readonly Check<NodeSite>[] = [
  programsCheck,
  kernelCheck,
  nfsConfCheck,
  runDirectoryCheck,
  clockCheck,
  hooksCheck,
  fencingCheck,
];

/** For each address. */
export const addressChecks: readonly Check<AddressSite>[] = [
  driverCheck,
  calloutCheck,
  recordCheck,
  volumesCheck,
  addressCheck,
  exportsCheck,
  portsCheck,
  networkCheck,
  othersCheck,
  unitCheck,
  nodesCheck,
  sharingCheck,
];
