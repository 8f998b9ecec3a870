import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as v from 'valibot';

const shape = v.object({ version: v.string(), license: v.optional(v.string(), 'other') });

/** Version and licence of a package below node_modules, by its package.json. Throws ValiError where that has none. */
export function npmManifest(root: string, name: string): v.InferOutput<typeof shape> {
  return v.parse(
    shape,
    JSON.parse(readFileSync(path.join(root, 'node_modules', name, 'package.json'), 'utf8')),
  );
}
