import { exitCodes, FailoverError } from '../errors.js';

/**
 * Builds one XDR value after another (RFC 4506): big-endian, everything padded to four bytes.
 * Only the types that ONC-RPC, rpcbind and NSM use.
 */
export class XdrWriter {
  readonly #parts: Buffer[] = [];

  /** RFC 4506 section 4.2. */
  uint32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeUInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  /** RFC 4506 section 4.1. */
  int32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  /**
   * `opaque<maxBytes>` or, given text, `string<maxBytes>` in UTF-8 (RFC 4506 sections 4.10, 4.11).
   * Throws XDR_TOO_LONG: a length that the receiver must refuse is never sent.
   */
  opaque(value: Uint8Array | string, maxBytes: number): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    if (bytes.length > maxBytes) {
      throw new FailoverError(`${bytes.length} bytes where at most ${maxBytes} are allowed`, {
        code: 'XDR_TOO_LONG',
        exitCode: exitCodes.stepFailed,
        operation: 'encoding a message',
      });
    }
    this.uint32(bytes.length);
    this.#parts.push(Buffer.from(bytes), Buffer.alloc(paddingOf(bytes.length)));
    return this;
  }

  /** Appends bytes that are XDR already. */
  encoded(value: Uint8Array): this {
    this.#parts.push(Buffer.from(value));
    return this;
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/**
 * Reads one XDR value after another from bytes that anybody may have sent. Every read is bounded by
 * what is there and by the caller's limit, and throws nothing but XDR_MALFORMED.
 */
export class XdrReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** `what` names the field for the error message, here and below. */
  uint32(what: string): number {
    return this.#take(4, what).readUInt32BE();
  }

  int32(what: string): number {
    return this.#take(4, what).readInt32BE();
  }

  /** `opaque<maxBytes>`; a copy-free view. Padding that is not zero is refused (RFC 4506 section 3). */
  opaque(maxBytes: number, what: string): Buffer {
    const length = this.uint32(what);
    if (length > maxBytes) throw malformed(`${what} claims ${length} bytes, at most ${maxBytes} are allowed`);
    const value = this.#take(length, what);
    if (this.#take(paddingOf(length), what).some((byte) => byte !== 0)) {
      throw malformed(`${what} is padded with something other than zeros`);
    }
    return value;
  }

  /** `string<maxBytes>` as text; bytes that are not UTF-8 become U+FFFD. */
  string(maxBytes: number, what: string): string {
    return this.opaque(maxBytes, what).toString('utf8');
  }

  /** Everything not read yet, which then counts as read. */
  rest(): Buffer {
    return this.#take(this.#bytes.length - this.#offset, 'the rest');
  }

  /** A message is whole only if nothing follows it. */
  end(what: string): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw malformed(`${left} bytes follow ${what}`);
  }

  #take(length: number, what: string): Buffer {
    const end = this.#offset + length;
    if (end > this.#bytes.length) {
      throw malformed(`${what} ends after ${this.#bytes.length - this.#offset} of ${length} bytes`);
    }
    const value = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return value;
  }
}

/** What every decoder of this folder throws for bytes that are not what they should be. */
export function malformed(message: string): FailoverError {
  return new FailoverError(message, {
    code: 'XDR_MALFORMED',
    exitCode: exitCodes.stepFailed,
    operation: 'decoding a message',
  });
}

/** Whether something thrown is that error, and so says something about the sender, not about us. */
export function isMalformed(error: unknown): error is FailoverError {
  return error instanceof FailoverError && error.code === 'XDR_MALFORMED';
}

function paddingOf(length: number): number {
  return (4 - (length % 4)) % 4;
}
