import { spawnSync } from 'node:child_process';
import test from 'ava';
import { Command, Option } from 'commander';
import * as fc from 'fast-check';
import { manPage, type ManPageOptions, type ManSection } from '../../src/man/man-page.js';

const options: ManPageOptions = {
  section: 8,
  version: '1.2.3',
  date: '2006-03-17',
  manual: 'System Administration',
};

function program(): Command {
  const top = new Command('lock-mover').description('Move locks.').version('1.2.3');
  for (const name of ['give', 'take']) {
    top
      .command(name)
      .description(`${name} them - all.`)
      .argument('<address>', 'the floating IP')
      .option('--json', 'print JSON')
      .addOption(new Option('--level <level>').choices(['a', 'b']).default('a'))
      .addOption(new Option('--secret').hideHelp());
  }
  top.commands[1]?.option('--fenced', "the other node's power is off");
  top.command('inner', { hidden: true });
  return top;
}

const sections: ManSection[] = [
  {
    title: 'EXIT STATUS',
    blocks: [
      {
        terms: [
          ['0', 'done'],
          ['1', 'not\n\nreally'],
        ],
      },
    ],
  },
  { title: 'FILES', blocks: [{ text: '.hidden is a file. Use `cat -n` on it.\n\nNext.' }] },
  { title: 'EXAMPLES', blocks: [{ example: '.x\n\n# a \\ "b" \'c\' `d` ~/e\n' }] },
];

test('a small program, to the byte', (t) => {
  t.is(
    manPage(program(), { ...options, sections }),
    String.raw`.\" Generated from the definitions in src. Change those, then run: npm run man
.TH "LOCK\-MOVER" "8" "2006-03-17" "lock\-mover 1.2.3" "System Administration"
.SH "NAME"
lock\-mover \- Move locks
.SH "SYNOPSIS"
\fBlock\-mover give\fR [options] <address>
.PP
\fBlock\-mover take\fR [options] <address>
.SH "DESCRIPTION"
Move locks.
.SH "COMMANDS"
.SS "lock\-mover give [options] <address>"
give them \- all.
.TP
\fBaddress\fR
the floating IP
.SS "lock\-mover take [options] <address>"
take them \- all.
.TP
\fBaddress\fR
the floating IP
.TP
\fB\-\-fenced\fR
the other node\(aqs power is off
.SH "OPTIONS"
Every command takes:
.TP
\fB\-\-json\fR
print JSON
.TP
\fB\-\-level <level>\fR
(choices: \(dqa\(dq, \(dqb\(dq, default: \(dqa\(dq)
.TP
\fB\-h, \-\-help\fR
display help for command
.PP
The program itself takes:
.TP
\fB\-V, \-\-version\fR
output the version number
.TP
\fB\-h, \-\-help\fR
display help for command
.SH "EXIT STATUS"
.TP
\fB0\fR
done
.TP
\fB1\fR
not
.IP
really
.SH "FILES"
\&.hidden is a file.
Use \fBcat \-n\fR on it.
.PP
Next.
.SH "EXAMPLES"
.RS 4
.nf
\&.x
.sp
# a \e \(dqb\(dq \(aqc\(aq \(gad\(ga \(ti/e
.fi
.RE
`,
  );
});

/** What groff says about a page, and the page as text. */
function format(page: string): { warnings: string; text: string } {
  const args = ['-man', '-ww', '-Tutf8', '-P-cbou', '-K', 'utf8', '-rLL=500n', '-rHY=0'];
  const { stdout, stderr, error } = spawnSync('groff', args, { input: page, encoding: 'utf8' });
  if (error) throw error;
  return { warnings: stderr, text: stdout };
}

const groff = spawnSync('groff', ['--version']).error === undefined ? test : test.skip;

groff('groff has no warnings and shows what was written', (t) => {
  const { warnings, text } = format(manPage(program(), { ...options, sections }));
  t.is(warnings, '');
  for (const line of [
    '.hidden is a file.  Use cat -n on it.',
    '.x',
    '# a \\ "b" \'c\' `d` ~/e',
    "the other node's power",
  ]) {
    t.true(text.includes(line), `${line} is not in\n${text}`);
  }
});

groff('any text comes out as it went in', (t) => {
  const word = fc.stringMatching(/^[!-~äöü…€]{1,30}$/u);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
      const line = words.join(' ');
      const { warnings, text } = format(
        manPage(program(), {
          ...options,
          sections: [{ title: 'X', blocks: [{ example: `${line}\n${line}` }] }],
        }),
      );
      if (warnings !== '') throw new Error(warnings);
      if (text.split('\n').filter((shown) => shown.trim() === line).length !== 2)
        throw new Error(`${line}: ${text}`);
    }),
    { numRuns: 40 },
  );
  t.pass();
});

test('source lines are short, and none but requests begins with a dot', (t) => {
  const text = `${'word .dotted '.repeat(40)}end. Another sentence. ...`;
  const page = manPage(program(), { ...options, sections: [{ title: 'X', blocks: [{ text }] }] });
  for (const line of page.split('\n')) {
    t.true(line.length <= 90, line);
    t.regex(line, /^(?![.'])|^\.(TH|SH|SS|PP|TP|IP|RS|RE|nf|fi|sp|\\")/);
  }
});

test('a program without commands', (t) => {
  const page = manPage(new Command('one').description('Does one thing').argument('[file]', 'what'), options);
  t.true(page.includes('\\fBone\\fR [options] [file]'));
  t.false(page.includes('COMMANDS'));
});
