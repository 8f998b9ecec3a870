import { networkInterfaces } from 'node:os';
import type { Interfaces } from './client-address.js';

/** This host's interfaces that have an IPv6 address (only those have scopes), seen from a floating IP. */
export function readInterfaces(source: string): Interfaces {
  let ofSource: string | undefined;
  const byIndex = new Map<number, string>();
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const entry of addresses ?? []) {
      if (entry.address === source) ofSource = name;
      if (entry.family === 'IPv6' && entry.scopeid) byIndex.set(entry.scopeid, name);
    }
  }
  return { ofSource, byIndex };
}
