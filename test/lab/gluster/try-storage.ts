import type { Server } from '../server.js';
import { nlmFailover, type ToolResult } from '../site.js';

/** Where one guest hardly runs beside the other, nothing is shown: what the refusal says is done, and they try again. */
const most = 4;

/** `try-storage` on two servers at once, until it shows something. */
export async function tryStorage(servers: readonly Server[]): Promise<readonly ToolResult[]> {
  for (let times = 1; ; times += 1) {
    const said = await Promise.all(servers.map((server) => nlmFailover(server, ['try-storage'], false)));
    const isShown = said.every(({ lines }) => lines.at(-1)?.error?.code !== 'STORAGE_UNTRIED');
    if (isShown || times === most) return said;
  }
}
