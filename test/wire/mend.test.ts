// What one that was killed had registered with rpcbind is not what its successor serves.
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServedInstance } from '../helpers/ocf-instance.js';
import { withNetns } from '../helpers/netns.js';
import { netnsTest } from './netns-test.js';

const mend = join(import.meta.dirname, 'mend-inside.js');

netnsTest(
  'a daemon that is started anew answers when its takeover goes on, however slow it is',
  async (t) => {
    t.timeout(60_000);
    const netns = await withNetns(t);
    const instance = await ServedInstance.make(netns, '10.88.3.1');
    const wanted = ['rpc.statd', 'rpc.mountd'] as const;
    const ask = (program: string) => instance.inside('rpcinfo', '-T', 'tcp', '127.0.0.1', program);
    for (const program of ['status', 'mountd']) t.regex(await ask(program), /ready and waiting/);
    // As on a machine that is busy: a second until each does what the real one does.
    const slow = mkdtempSync(join(tmpdir(), 'slow-'));
    for (const name of wanted) {
      const file = join(slow, name);
      writeFileSync(file, `#!/bin/sh\nsleep 1\nPATH=\${PATH#*:}\nexec ${name} "$@"\n`);
      chmodSync(file, 0o755);
      await instance.kill(name);
    }
    const path = `PATH=${slow}:${process.env['PATH'] ?? ''}`;
    const said = await netns.run('env', path, process.execPath, mend, instance.address);
    t.is(said.trim(), 'started anew: rpc.statd, rpc.mountd');
    for (const program of ['status', 'mountd']) t.regex(await ask(program), /ready and waiting/);
  },
);
