// A lease (fcntl(2), F_SETLEASE) on a file of the record: statd's user owns the journals, and may take one.
import { constants, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { journalPath } from '../../../src/record/journal/journal-file.js';
import { openDespiteLease } from '../../../src/record/safe-files/files.js';
import { type Helper, start } from '../helpers/process.js';
import { event, makeSite } from '../helpers/site.js';

/** Takes a write lease (F_SETLEASE 1024, F_WRLCK 1), says so, and keeps it; or gives it up (F_UNLCK 2) a while after it was asked to. */
const holder = `
  $| = 1;
  my ($file, $keeps) = @ARGV;
  open(my $open, '+<', $file) or die $!;
  $SIG{IO} = sub { return if $keeps; select(undef, undef, undef, 0.3); fcntl($open, 1024, 2); };
  fcntl($open, 1024, 1) or die $!;
  print "leased\\n";
  sleep 1 while 1;
`;

async function lease(t: ExecutionContext, file: string, keeps = false): Promise<Helper> {
  const held = start(t, 'perl', ['-e', holder, file, ...(keeps ? ['keeps'] : [])]);
  t.is(await held.line(), 'leased');
  return held;
}

test('is waited for, until the kernel has it broken', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'c1'));
  await lease(t, journalPath(site.directory, 'A'));
  record.fold();
  t.deepEqual(record.clientNames(), ['c1']);
});

test('one that stays: whoever holds it is named', async (t) => {
  const file = join(makeSite(t).state, 'file');
  writeFileSync(file, '');
  const { child } = await lease(t, file, true);
  for (const flags of [constants.O_RDONLY, constants.O_RDWR]) {
    const error = t.throws(() => openDespiteLease(file, flags | constants.O_NONBLOCK, 0.2), {
      code: 'RECORD_UNUSABLE',
    });
    t.regex(error.message, new RegExp(`${file} could not be opened .* perl, pid ${child.pid} holds a lease`));
  }
});
