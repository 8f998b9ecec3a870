// The bundle and its code cache: for nlm-failover beside this, which runs it, and for code-cache.mjs, which makes the cache.
//
// The code cache is what V8 has made of the source when the bundle was built, so that the start of a command neither parses
// nor compiles it. Only the build writes it, beside the bundle: whoever can change the one can change the other. V8 rejects
// one that another V8 made, or one with other flags; but of the source it looks only at the length, and the data it
// believes: damaged, they crash it (V8's src/snapshot/code-serializer.cc, SerializedCodeData::SanityCheck; seen). So a first
// line says which Node made it, of which bundle, and which data; where anything differs it is left alone.
'use strict';
const { isAscii } = require('node:buffer');
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');
const { crc32 } = require('node:zlib');

/**
 * Compiles the bundle in a directory, dist/ of a checkout, with its code cache where that serves.
 *
 * @param {string} directory
 * @returns {{ bytes: Buffer, script: Script, run: () => void } | undefined} `run` does what requiring the bundle would do;
 *   undefined where there is none
 */
exports.compile = (directory) => {
  const filename = join(directory, 'nlm-failover.cjs');
  if (!existsSync(filename)) return undefined;
  const bytes = readFileSync(filename);
  // It is ASCII, by esbuild.mjs, and a function already: then V8 takes the bytes as they are.
  const source = isAscii(bytes) ? bytes.latin1Slice() : bytes.utf8Slice();
  const script = new Script(source, { filename, cachedData: cachedData(directory, bytes) });
  const run = () => {
    const module = { exports: {} };
    script.runInThisContext()(module.exports, require, module, filename, directory);
  };
  return { bytes, script, run };
};

/** Whether this Node can tell a damaged code cache from a whole one: from 20.15 on. */
exports.canCache = crc32 !== undefined;

/** Where the code cache of the bundle in a directory is. */
exports.cacheFile = (directory) => join(directory, 'nlm-failover.cache');

/**
 * The first line of the code cache, as long as a multiple of 8: V8 copies data that begins elsewhere (its
 * src/snapshot/code-serializer.cc, AlignedCachedData).
 *
 * @param {Buffer} bundle
 * @param {Buffer} data what V8 has made of it
 */
exports.headOf = (bundle, data) => {
  const words = `${process.version} ${process.arch} ${crc32(bundle)} ${crc32(data)} ${data.length}`;
  return `${words.padEnd(Math.ceil((words.length + 1) / 8) * 8 - 1)}\n`;
};

/** The code cache, where there is one of this Node, of this bundle, and whole. */
function cachedData(directory, bundle) {
  // For coverage V8 compiles otherwise, to count.
  if (!exports.canCache || process.env.NODE_V8_COVERAGE) return undefined;
  let cache;
  try {
    cache = readFileSync(exports.cacheFile(directory));
  } catch {
    return undefined;
  }
  const data = cache.subarray(cache.indexOf('\n') + 1);
  return cache.latin1Slice(0, cache.length - data.length) === exports.headOf(bundle, data) ? data : undefined;
}
