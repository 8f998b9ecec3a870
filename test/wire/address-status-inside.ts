// Usage: node address-status-inside.js LINK ADDRESS...: where this host has them; prints JSON, one list each.
import { placesOf } from '../../src/host/reading/addresses.js';
import { realHost } from '../../src/host/real.js';

const [link = '', ...addresses] = process.argv.slice(2);
const answers = await Promise.all(addresses.map((address) => placesOf(realHost, address, link)));
process.stdout.write(JSON.stringify(answers));
