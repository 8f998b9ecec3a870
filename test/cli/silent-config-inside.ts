// Usage: node silent-config-inside.js FILE: reads a configuration as every command does, with less patience.
import { openReader } from '../../src/cli/open-reader.js';
import { begun, openWatchdog } from '../../src/host/running/watchdog.js';

await openWatchdog(false, (text) => text);
begun({ what: 'This command', seconds: 2, key: '' });
await openReader(async () => [], undefined, { config: process.argv[2] ?? '', logLevel: 'warn' });
