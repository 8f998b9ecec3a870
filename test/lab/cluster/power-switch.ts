import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lab } from '../lab.js';
import type { Server } from '../server.js';

/** One guest that another one had switched off. */
export interface Fenced {
  readonly by: string;
  readonly node: string;
  /** Whether it was on still. */
  readonly wasOn: boolean;
  /** The devices that the one that asked had mounted before it was dark. */
  readonly mounted: readonly string[];
  /** When it was asked for, and when it was answered; ms since 1970. */
  readonly asked: number;
  readonly answered: number;
}

/**
 * What test/lab/sh/fence_lab asks: a power switch for the guests A and B, which can be reached without the lab's network. Notes of
 * other kinds go to whoever listened before.
 * @returns whom it has switched off, in this order
 */
export function startPowerSwitch(lab: Pick<Lab, 'a' | 'b' | 'directory'>): Fenced[] {
  const servers = [lab.a, lab.b];
  const fenced: Fenced[] = [];
  const answer = async (by: Server, question: string, name: string, file: string): Promise<void> => {
    const asked = Date.now();
    const guest = servers.find((server) => server.name === name);
    if (question === 'off' && guest !== undefined) {
      const wasOn = guest.isOn;
      const mounted = (await by.mounts()).map(({ device }) => device);
      await guest.powerCut();
      fenced.push({ by: by.name, node: name, wasOn, mounted, asked, answered: Date.now() });
    }
    const said = guest === undefined ? 'unknown' : guest.isOn ? 'on' : 'off';
    const place = join(lab.directory, file);
    await writeFile(`${place}.new`, `${said}\n`);
    await rename(`${place}.new`, place);
  };
  for (const server of servers) {
    const others = server.onNote;
    server.onNote = (text) => {
      const [kind, question = '', name = '', file = ''] = text.split(' ');
      if (kind !== 'fence') others(text);
      else if (/^fence[.][-0-9a-f]+$/u.test(file)) void answer(server, question, name, file).catch(() => {});
    };
  }
  return fenced;
}
