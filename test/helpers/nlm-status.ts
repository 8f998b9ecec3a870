/** nlm4_stats (RFC 1813 appendix II), in words. */
const statuses = [
  'granted',
  'denied',
  'no locks',
  'blocked',
  'grace',
  'deadlock',
  'read-only',
  'stale handle',
  'file too big',
  'failed',
];

/** The status of an NLM reply, in a word; of a number that is none, that number. */
export function nlmStatus(status: number): string {
  return statuses[status] ?? `status ${status}`;
}
