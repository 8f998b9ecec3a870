// Usage: node build/src/man/write-man-pages.js DIRECTORY: writes nlm-failover.8 there (`npm run man`).
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { version } from '../version.js';
import { manPage } from './man-page.js';
import { manSections } from './man-sections.js';
import { buildProgram } from '../cli/program.js';

const quiet = { out: () => undefined, err: () => undefined, clearLine: () => undefined, isTerminal: false };
const directory = process.argv[2] ?? 'man';
const page = manPage(
  buildProgram(quiet, () => undefined),
  {
    section: 8,
    version,
    date: '2026-11-21',
    manual: 'System Administration',
    summary: 'move a floating IP with its NFSv3 exports and locks',
    sections: manSections(),
  },
);
mkdirSync(directory, { recursive: true });
writeFileSync(path.join(directory, 'nlm-failover.8'), page);
