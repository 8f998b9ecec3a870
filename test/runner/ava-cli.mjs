// ava, as its own command, but that the process of each test file loads what ava has there as one file (ava-worker.mjs): reading some
// three hundred is half of what a small test file costs.
import { _testOnlyReplaceWorkerPath } from '../../node_modules/ava/lib/fork.js';
import { workerFile } from './ava-worker.mjs';

_testOnlyReplaceWorkerPath(workerFile);
await import('../../node_modules/ava/entrypoints/cli.mjs');
