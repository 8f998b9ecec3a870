import { longestFirst } from './test/runner/costs.mjs';

export default {
  files: ['build/test/**/*.test.js', 'test/runner/*.test.mjs'],
  workerThreads: false,
  timeout: '10m',
  sortTestFiles: longestFirst,
  require: [
    './test/runner/own-tmp.mjs',
    // Where npm test wants to know what each file costs.
    ...(process.env.NLM_TEST_COSTS === undefined ? [] : ['./test/runner/note-cost.mjs']),
  ],
};
