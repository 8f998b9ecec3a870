// Usage: node watched-files-inside.js FILE: prints whether reading it is watched by the thread.
import { openWatchdog, reading } from '../../src/host/running/watchdog.js';

await openWatchdog(false, (text) => text);
reading(process.argv[2] ?? '');
// Node's list of its modules that are loaded; it has no type.
const loaded: unknown = Reflect.get(process, 'moduleLoadList');
process.stdout.write(String(Array.isArray(loaded) && loaded.includes('NativeModule worker_threads')));
