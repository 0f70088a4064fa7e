/**
 * The bundle as a zip file that has exactly one form (sessions/ARCHIVE.md, "The file").
 *
 * @remarks Every header is compared with the only one it may be, so every byte belongs to a member or is implied by
 * one. APPNOTE 6.3 sections 4.3.7, 4.3.12, 4.3.16. Offsets and sizes below are of those sections.
 */

import { type Bytes, fromUtf8, utf8 } from "../bytes.js";
import { demand } from "./report.js";

export const MOST_BYTES = 500_000_000;
const MOST_FILES = 10_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}$/;

const LOCAL = 30;
const CENTRAL = 46;
const END = 22;
const DATE = 0x0021; // 1980-01-01, and midnight is 0
const VERSION = 20;
const UNIX = 3;
const MODE = 0o100644 * 0x10000;

export type Files = ReadonlyMap<string, Bytes>;

/** The members of `data`, as views into it. */
export function unpack(data: Bytes): Files {
  demand(data.length <= MOST_BYTES, `more than ${MOST_BYTES} bytes`);
  demand(data.length >= END, "this is not a zip file");
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const end = data.length - END;
  demand(view.getUint32(end, true) === 0x06054b50, "it does not end as a zip file without a comment does");
  const count = view.getUint16(end + 10, true);
  const size = view.getUint32(end + 12, true);
  const directory = view.getUint32(end + 16, true);
  demand(count <= MOST_FILES, `more than ${MOST_FILES} files`);
  demand(view.getUint32(end + 4, true) === 0 && view.getUint16(end + 8, true) === count, "it is in several parts");
  demand(view.getUint16(end + 20, true) === 0 && directory + size === end, "there are bytes in it that belong to no file");
  const files = new Map<string, Bytes>();
  let [at, body, last] = [directory, 0, ""];
  for (let i = 0; i < count; i++) {
    demand(at + CENTRAL <= end, "its directory is cut off");
    const nameLength = view.getUint16(at + 28, true);
    const [crc, length] = [view.getUint32(at + 16, true), view.getUint32(at + 24, true)];
    demand(nameLength <= 403 && at + CENTRAL + nameLength <= end, "its directory is cut off");
    const name = fromUtf8(data.subarray(at + CENTRAL, at + CENTRAL + nameLength));
    demand(NAME.test(name) && name > last, `${JSON.stringify(name)} may not be in it, or not there`);
    const start = body + LOCAL + nameLength;
    demand(start + length <= directory, `${name} is cut off`);
    const member = data.subarray(start, start + length);
    demand(crc32(member) === crc, `${name} is damaged`);
    const central = writeCentral(name, crc, length, body);
    demand(same(data, at, central) && same(data, body, writeLocal(name, crc, length)), `${name} is not stored as it must be`);
    files.set(name, member);
    [at, body, last] = [at + CENTRAL + nameLength, start + length, name];
  }
  demand(at === end && body === directory, "there are bytes in it that belong to no file");
  return files;
}

/** Version, flags, method, time, date, crc, both sizes and the name's length: the same in both headers. */
function common(view: DataView, at: number, name: string, crc: number, length: number): void {
  view.setUint16(at, VERSION, true);
  view.setUint16(at + 8, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, length, true);
  view.setUint32(at + 18, length, true);
  view.setUint16(at + 22, name.length, true);
}

function writeLocal(name: string, crc: number, length: number): Bytes {
  const bytes = new Uint8Array(LOCAL + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x04034b50, true);
  common(view, 4, name, crc, length);
  bytes.set(utf8(name), LOCAL);
  return bytes;
}

function writeCentral(name: string, crc: number, length: number, offset: number): Bytes {
  const bytes = new Uint8Array(CENTRAL + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x02014b50, true);
  view.setUint8(4, VERSION);
  view.setUint8(5, UNIX);
  common(view, 6, name, crc, length);
  view.setUint32(38, MODE, true);
  view.setUint32(42, offset, true);
  bytes.set(utf8(name), CENTRAL);
  return bytes;
}

function same(data: Bytes, at: number, expected: Bytes): boolean {
  for (let i = 0; i < expected.length; i++) if (data[at + i] !== expected[i]) return false;
  return true;
}

const TABLE = Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let k = 0; k < 8; k++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});
const CRC = Uint32Array.from(TABLE);

function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < data.length; i++) crc = CRC[(crc ^ data[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
