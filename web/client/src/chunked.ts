/**
 * C2SP chunked-encryption v1 with AES-256-GCM and SHA-512 (Cobblestone-256): sealing and opening a part.
 *
 * @remarks Source: c2sp.org/chunked-encryption and crypto/FORMAT.md section 3. A stream is
 * `salt 24 | commitment 32 | chunks`; each chunk is 16384 plain bytes and a tag, the last one shorter.
 */

import { type Bytes, concat, equal, utf8 } from "./bytes.js";
import { Refused, require } from "./errors.js";
import { expand } from "./kdf.js";

/** Plain bytes in every chunk but the last. */
export const CHUNK = 16384;
/** Bytes of a sealed chunk. */
export const SEALED_CHUNK = CHUNK + 16;
/** Bytes of salt and commitment in front of the chunks. */
export const PREFIX = 56;

/** Chunks handled at once, 4 MiB: Chromium reads a file at 506 MB/s in slices of 4 MiB and at 163 in slices of 1. */
const BATCH = 256;

/** The key of one stream. The AES key inside cannot be exported. */
export interface StreamKey {
  readonly salt: Bytes;
  readonly commitment: Bytes;
  readonly aes: CryptoKey;
  readonly nonce: Bytes;
}

/** The length of the stream that `plainLength` bytes become. */
export function sealedLength(plainLength: number): number {
  const full = Math.floor(plainLength / CHUNK);
  return PREFIX + full * SEALED_CHUNK + (plainLength - full * CHUNK) + 16;
}

/** The length of the plain text in a stream of `length` bytes; refuses a length no stream has. */
export function plainLength(length: number): number {
  const full = Math.floor((length - PREFIX) / SEALED_CHUNK);
  const last = length - PREFIX - full * SEALED_CHUNK - 16;
  require(full >= 0 && last >= 0, "damaged_part", "the stream has been cut short");
  return full * CHUNK + last;
}

/** Derive the key, nonce and commitment of a stream. Writers use a new random `salt` each time. */
export async function streamKey(inputKey: Bytes, context: Bytes, salt: Bytes): Promise<StreamKey> {
  const label = concat(utf8("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"), salt, context);
  const okm = await expand(inputKey, label, 76, "SHA-512");
  const aes = await crypto.subtle.importKey("raw", okm.slice(0, 32), "AES-GCM", false, ["encrypt", "decrypt"]);
  return { salt, commitment: okm.slice(44), aes, nonce: okm.slice(32, 44) };
}

/** The nonce of chunk `k`: base nonce XOR k as a 12-byte big-endian integer. */
function nonceOf(key: StreamKey, k: number): Bytes {
  const nonce = key.nonce.slice();
  const view = new DataView(nonce.buffer);
  view.setUint32(8, (view.getUint32(8) ^ (k >>> 0)) >>> 0);
  view.setUint32(4, (view.getUint32(4) ^ Math.floor(k / 2 ** 32)) >>> 0);
  return nonce;
}

/**
 * Seal `plain` as it streams by: yields the prefix, then about 4 MiB of sealed chunks at a time.
 *
 * @remarks Memory stays constant whatever the size of the file. A file that cannot be read any more (it was
 * changed or removed after it was chosen) is refused as `source_changed`.
 */
export async function* seal(key: StreamKey, plain: Blob): AsyncGenerator<Bytes, void, undefined> {
  yield concat(key.salt, key.commitment);
  const chunks = Math.floor(plain.size / CHUNK) + 1;
  for (let first = 0; first < chunks; first += BATCH) {
    const slice = await bytesOf(plain, first * CHUNK, (first + BATCH) * CHUNK);
    const count = Math.min(BATCH, chunks - first);
    yield await inChunks(count, slice, CHUNK, async (k, data) =>
      crypto.subtle.encrypt({ name: "AES-GCM", iv: nonceOf(key, first + k) }, key.aes, data),
    );
  }
}

/** A sealed stream: a file of any size, or bytes at hand, of which each read spares a trip to another process. */
export type Stream = Blob | Bytes;

/**
 * Check that `stream` begins with the salt and commitment of `key`; refuse it as `commitment_mismatch` if not.
 *
 * @remarks Do this before {@link open} or {@link openRange}; they do it too.
 */
export async function checkPrefix(key: StreamKey, stream: Stream): Promise<void> {
  const prefix = await bytesOf(stream, 0, PREFIX);
  require(
    equal(prefix, concat(key.salt, key.commitment)),
    "commitment_mismatch",
    "this key is not the one the part was sealed with",
  );
}

/** Open a whole `stream`: yields about 4 MiB of plain text at a time, each byte authenticated before it is given out. */
export function open(key: StreamKey, stream: Stream): AsyncGenerator<Bytes, void, undefined> {
  return openRange(key, stream, 0, Infinity);
}

/**
 * Open the plain bytes from `start` up to `end` (or the end of the text) of a `stream`.
 *
 * @remarks Also opens the last chunk if `end` lies past it, which is what proves that nothing was cut off.
 */
export async function* openRange(
  key: StreamKey,
  stream: Stream,
  start: number,
  end: number,
): AsyncGenerator<Bytes, void, undefined> {
  await checkPrefix(key, stream);
  const length = plainLength(stream instanceof Uint8Array ? stream.length : stream.size);
  const stop = Math.min(end, length);
  const lastChunk = end >= length ? Math.floor(length / CHUNK) : Math.floor((stop - 1) / CHUNK);
  for (let first = Math.floor(Math.min(start, length) / CHUNK); first <= lastChunk; first += BATCH) {
    const count = Math.min(BATCH, lastChunk + 1 - first);
    const sealed = await bytesOf(stream, PREFIX + first * SEALED_CHUNK, PREFIX + (first + count) * SEALED_CHUNK);
    const plain = await inChunks(count, sealed, SEALED_CHUNK, async (k, data) => {
      try {
        return await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonceOf(key, first + k) }, key.aes, data);
      } catch (error) {
        throw new Refused("damaged_part", "a chunk of this part has been changed", "Fetch the file again.", error);
      }
    });
    const base = first * CHUNK;
    yield plain.subarray(Math.max(0, start - base), Math.max(0, Math.min(plain.length, stop - base)));
  }
}

/** All that `stream` yields, in one piece; for what is known to be small. */
export async function collect(stream: AsyncIterable<Bytes>): Promise<Bytes> {
  const pieces: Bytes[] = [];
  for await (const piece of stream) pieces.push(piece);
  return concat(...pieces);
}

/** Run `work` on `count` pieces of `data` at once and join what they give, in order. */
async function inChunks(
  count: number,
  data: Bytes,
  size: number,
  work: (k: number, piece: Bytes) => Promise<ArrayBuffer>,
): Promise<Bytes> {
  const done = await Promise.all(
    Array.from({ length: count }, (_, k) => work(k, data.subarray(k * size, (k + 1) * size))),
  );
  return concat(...done.map((piece) => new Uint8Array(piece)));
}

async function bytesOf(stream: Stream, start: number, end: number): Promise<Bytes> {
  if (stream instanceof Uint8Array) return stream.subarray(start, end);
  const slice = stream.slice(start, end);
  try {
    return new Uint8Array(await slice.arrayBuffer());
  } catch (error) {
    throw new Refused("source_changed", "the file can no longer be read", "Choose it again; it was moved or changed.", error);
  }
}
