// Usage: node build/src/man/write-man-pages.js DIRECTORY: writes the manual pages there (`npm run man`).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { manPages } from './pages.js';

const directory = process.argv[2] ?? 'man';
// From build/src/man.
const changelog = readFileSync(new URL('../../../CHANGELOG.md', import.meta.url), 'utf8');
mkdirSync(directory, { recursive: true });
for (const [file, page] of manPages(changelog)) writeFileSync(path.join(directory, file), page);
