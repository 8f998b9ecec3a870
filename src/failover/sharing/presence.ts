import { randomUUID } from 'node:crypto';
import type { FloatingIp } from '../../config/config.js';
import type { Host } from '../../host/host.js';
import { waitUntil } from '../../host/running/wait.js';
import { readPresence, writeQuestion } from '../../record/barrier.js';
import { holdRecordDirectory } from '../../record/safe-files/record-directory.js';
import { recordLocation } from '../access/location.js';
import { lateSeconds } from './barrier.js';

/**
 * Which nodes answer when they are asked whether they look for calls into grace, through the record of an address; waited for are `awaited`
 * alone, for `lateSeconds`. Undefined where there is no record yet. Throws RECORD_UNSAFE, SYSTEM_ERROR.
 */
export async function whoLooks(
  host: Host,
  ip: FloatingIp,
  awaited: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  const held = holdRecordDirectory(recordLocation(host, ip).directory, { create: false });
  if (held === undefined) return undefined;
  try {
    const nodes = ip.shared?.nodes ?? [];
    const before = new Map(nodes.map((node) => [node, readPresence(held.way, node)]));
    // Another question that takes the place of this one is answered too: what is new is an answer of now.
    const hasAnswered = (node: string) => readPresence(held.way, node) !== before.get(node);
    writeQuestion(held.way, randomUUID());
    await waitUntil(host, 'the nodes to answer', () => awaited.every(hasAnswered), {
      seconds: lateSeconds,
      intervalMs: 100,
    });
    return new Set(nodes.filter(hasAnswered));
  } finally {
    held.close();
  }
}
