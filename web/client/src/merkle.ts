/** The Merkle tree hash of RFC 6962 section 2.1, over segments of a file that is hashed as it streams by. */

import { type Bytes, concat } from "./bytes.js";
import { sha256 } from "./kdf.js";

/** The hash of one leaf: SHA-256(0x00 || data). */
export function leafHash(data: Uint8Array): Promise<Bytes> {
  return sha256(Uint8Array.of(0), data);
}

/** The root over `leaves`, which are leaf hashes in order. No leaves: the hash of nothing. */
export async function treeRoot(leaves: readonly Bytes[]): Promise<Bytes> {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  if (leaves.length === 1) return leaves[0]!;
  let split = 1; // the largest power of two smaller than the number of leaves
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = await Promise.all([treeRoot(leaves.slice(0, split)), treeRoot(leaves.slice(split))]);
  return sha256(Uint8Array.of(1), left, right);
}

/**
 * Collects a byte stream into segments of fixed size and gives their root.
 *
 * @remarks Holds one segment. Call {@link Segments.add} in order, await each, then {@link Segments.root} once.
 */
export class Segments {
  readonly size: number;
  readonly leaves: Bytes[] = [];
  #buffer: Bytes; // 0x00, then the segment: the leaf's prefix is in place, so nothing is copied to hash it
  #used = 1;

  constructor(size: number) {
    this.size = size;
    this.#buffer = concat(new Uint8Array(size + 1));
  }

  async add(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; ) {
      const take = Math.min(this.#buffer.length - this.#used, data.length - at);
      this.#buffer.set(data.subarray(at, at + take), this.#used);
      this.#used += take;
      at += take;
      if (this.#used === this.#buffer.length) await this.#close();
    }
  }

  async root(): Promise<Bytes> {
    if (this.#used > 1) await this.#close();
    return treeRoot(this.leaves);
  }

  async #close(): Promise<void> {
    this.leaves.push(await sha256(this.#buffer.subarray(0, this.#used)));
    this.#used = 1;
  }
}

/** Whether `leaf` stands at `index` of the `size` leaves under `root` (RFC 9162 section 2.1.3.2). */
export async function includes(
  leaf: Bytes,
  index: number,
  size: number,
  path: readonly Bytes[],
  root: Uint8Array,
): Promise<boolean> {
  if (!(index >= 0 && index < size)) return false;
  let [node, last] = [index, size - 1];
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = await sha256(Uint8Array.of(1), sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
    } else {
      hash = await sha256(Uint8Array.of(1), hash, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && hash.length === root.length && hash.every((byte, i) => byte === root[i]);
}
