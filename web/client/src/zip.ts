/**
 * Reading a zip archive as far as our bundles need it: stored and deflated members, by the central directory.
 *
 * @remarks Sizes are limits and not promises: a member that inflates beyond its limit is refused while it does.
 */

import { type Bytes, fromUtf8 } from "./bytes.js";
import { require } from "./errors.js";

/** One member, as the central directory lists it (APPNOTE 6.3 section 4.3.12). */
export interface Entry {
  readonly name: string;
  readonly method: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

const MOST = 65_536 + 22;

/** The members of `file`; `malformed_zip` if it is no archive we read. */
export async function entries(file: Blob): Promise<readonly Entry[]> {
  const tail = new DataView(await file.slice(Math.max(0, file.size - MOST)).arrayBuffer());
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
  require(end >= 0, "malformed_zip", "this is not a zip archive");
  const [count, size, offset] = [tail.getUint16(end + 10, true), tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
  require(offset + size <= file.size && count < 0xffff, "malformed_zip", "the archive's directory is damaged, or in a form not read here");
  const directory = new Uint8Array(await file.slice(offset, offset + size).arrayBuffer());
  const view = new DataView(directory.buffer);
  const found: Entry[] = [];
  for (let at = 0; found.length < count; ) {
    require(at + 46 <= size && view.getUint32(at, true) === 0x02014b50, "malformed_zip", "the archive's directory is damaged");
    const [nameLength, extra, comment] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    found.push({
      name: fromUtf8(directory.subarray(at + 46, at + 46 + nameLength)),
      method: view.getUint16(at + 10, true),
      packed: view.getUint32(at + 20, true),
      size: view.getUint32(at + 24, true),
      offset: view.getUint32(at + 42, true),
    });
    at += 46 + nameLength + extra + comment;
  }
  return found;
}

/** The content of `entry`, at most `limit` bytes; `too_large` beyond. */
export async function inflate(file: Blob, entry: Entry, limit: number): Promise<Bytes> {
  require(entry.method === 0 || entry.method === 8, "malformed_zip", `${entry.name} is packed in a way not read here`);
  const head = new DataView(await file.slice(entry.offset, entry.offset + 30).arrayBuffer());
  require(head.byteLength === 30 && head.getUint32(0, true) === 0x04034b50, "malformed_zip", `${entry.name} is damaged`);
  const start = entry.offset + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = file.slice(start, start + entry.packed);
  const stream = entry.method === 0 ? packed.stream() : packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const pieces: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    require(size <= limit, "too_large", `${entry.name} is larger than ${limit} bytes`);
    pieces.push(value);
  }
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}
