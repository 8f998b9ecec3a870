import { createSocket, type Socket } from 'node:dgram';
import { randomInt } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { errnoOf, exitCodes, FailoverError, messageOf } from '../../errors.js';
import type { Family } from '../../rpc/rpcbind-messages.js';

/** A bound UDP socket, and what it came to be bound to. */
export interface SourceSocket {
  readonly socket: Socket;
  /** The address asked for, or 0.0.0.0 or :: where this host does not have it. */
  readonly address: string;
  readonly privilegedPort: boolean;
}

const firstPort = 600;
const lastPort = 1023;
/** As much as net.core.rmem_max and wmem_max allow is taken; the kernel clips it without a word. */
const manyBytes = 4 * 1024 * 1024;
/** Duplicate address detection takes one second and up to one more of delay (RFC 4862, RFC 4861). */
const detectionMs = 2500;

/**
 * A UDP socket bound to `address`, on a random free port in 600..1023 where this process may (some old
 * statds want one), else on an ephemeral one. If this host does not have the address, as when SM_NOTIFY
 * goes before it is up, the socket is bound to no address. A new IPv6 address that the kernel still
 * checks for duplicates cannot be bound either, and is waited for.
 * `bufferBytes` is for tests; by default the socket's buffers are as large as the host allows.
 * Throws NSM_SOCKET for every other reason.
 */
export async function openSourceSocket(
  family: Family,
  address: string,
  bufferBytes = manyBytes,
): Promise<SourceSocket> {
  for (const start = performance.now(); ; await pause(100)) {
    try {
      return await bindSomePort({ family, address, bufferBytes });
    } catch (error) {
      if (errnoOf(error) !== 'EADDRNOTAVAIL') throw socketError(address, error);
    }
    if (!isConfigured(address) || performance.now() - start > detectionMs) break;
  }
  try {
    return await bindSomePort({ family, address: family === 4 ? '0.0.0.0' : '::', bufferBytes });
  } catch (error) {
    throw socketError('any address', error);
  }
}

interface Binding {
  readonly family: Family;
  readonly address: string;
  readonly bufferBytes: number;
}

async function bindSomePort(binding: Binding): Promise<SourceSocket> {
  const { address } = binding;
  const count = lastPort - firstPort + 1;
  const offset = randomInt(count);
  for (let tried = 0; tried < count; tried += 1) {
    try {
      const socket = await bind(binding, firstPort + ((offset + tried) % count));
      return { socket, address, privilegedPort: true };
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EACCES' || errno === 'EPERM') break;
      if (errno !== 'EADDRINUSE') throw error;
    }
  }
  return { socket: await bind(binding, 0), address, privilegedPort: false };
}

function bind({ family, address, bufferBytes }: Binding, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      ipv6Only: family === 6,
      recvBufferSize: bufferBytes,
      sendBufferSize: bufferBytes,
      // Only addresses are ever sent to: no packet waits for a resolver.
      lookup: (host, _options, answer) => {
        answer(null, host, family);
      },
    });
    const failed = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', failed);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

function isConfigured(address: string): boolean {
  return Object.values(networkInterfaces()).some((entries) =>
    entries?.some((entry) => entry.address === address),
  );
}

function socketError(address: string, cause: unknown): FailoverError {
  return new FailoverError(`cannot open a UDP socket on ${address}: ${messageOf(cause)}`, {
    code: 'NSM_SOCKET',
    exitCode: exitCodes.stepFailed,
    operation: 'B-3 SM_NOTIFY',
    hint: 'Nobody was notified through it. "ss -uap" shows who has the port. Remove the cause; then run the same command again, or "nlm-failover notify ADDRESS".',
    cause,
  });
}
