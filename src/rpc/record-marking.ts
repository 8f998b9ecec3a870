const lastFragment = 0x8000_0000;

/** Record marking: a stream needs each message's length before it (RFC 5531 section 11). */
export function asRecord(message: Buffer): Buffer {
  const mark = Buffer.alloc(4);
  mark.writeUInt32BE((lastFragment | message.length) >>> 0);
  return Buffer.concat([mark, message]);
}

/** The message in what has been received of a stream, once its last fragment is there. */
export function messageOf(received: Buffer): Buffer | undefined {
  const fragments: Buffer[] = [];
  for (let offset = 0; offset + 4 <= received.length;) {
    const mark = received.readUInt32BE(offset);
    const length = mark & ~lastFragment;
    const end = offset + 4 + length;
    if (end > received.length) return undefined;
    fragments.push(received.subarray(offset + 4, end));
    if (mark >= lastFragment) return Buffer.concat(fragments);
    offset = end;
  }
  return undefined;
}
