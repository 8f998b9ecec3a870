// Usage: node address-status-inside.js LINK ADDRESS...: which of them this host has; prints JSON, one entry each.
import { hasAddress } from '../../src/host/reading/addresses.js';
import { realHost } from '../../src/host/real.js';

const [link = '', ...addresses] = process.argv.slice(2);
const answers = await Promise.all(addresses.map((address) => hasAddress(realHost, address, link)));
process.stdout.write(JSON.stringify(answers));
