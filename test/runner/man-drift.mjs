// man/ is generated and committed; here it is generated again, elsewhere, and compared.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './check.mjs';
import { write } from './screen.mjs';

const generator = 'build/src/man/write-man-pages.js';

/** Passes if every generated page is in man/, the same to the byte. */
export async function manDrift(tally) {
  const directory = mkdtempSync(join(tmpdir(), 'nlm-failover-man-'));
  try {
    const problem = (await generate(directory)) ?? differences(directory).join(', ');
    if (problem === '') {
      tally.passed++;
      return;
    }
    tally.failed++;
    write(`   FAILED: ${problem}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function generate(directory) {
  if (!existsSync(generator)) return `${generator} is missing`;
  const { status, stderr } = await runCommand(process.execPath, [generator, directory]);
  return status === 0 ? undefined : `${generator}: ${stderr.trimEnd()}`;
}

function differences(directory) {
  const pages = readdirSync(directory);
  if (pages.length === 0) return [`${generator} wrote no page`];
  return pages
    .map((page) => [join('man', page), readFileSync(join(directory, page))])
    .filter(([committed, content]) => !existsSync(committed) || !readFileSync(committed).equals(content))
    .map(([committed]) => `${committed} is not what the commands say: run npm run man and commit it`);
}
