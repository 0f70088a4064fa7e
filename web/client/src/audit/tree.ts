/** The Merkle tree of RFC 6962 section 2.1 over many small leaves, without waiting and in one pass. */

import { type Bytes, fromHex, hex } from "../bytes.js";
import { digest } from "../sha256.js";

const LEAF = new Uint8Array(33);
const NODE = new Uint8Array(65);
NODE[0] = 1;

/** The hash of an entry of 32 bytes as a leaf. */
export function leafOf(entry: Uint8Array): Bytes {
  LEAF.set(entry, 1);
  return digest(LEAF);
}

/** The hash over two subtrees. */
export function nodeOf(left: Uint8Array, right: Uint8Array): Bytes {
  NODE.set(left, 1);
  NODE.set(right, 33);
  return digest(NODE);
}

/** A tree that grows: its root at any size costs no more than its height. */
export class Tree {
  /** The roots of the full subtrees, largest first: one for each bit of the size. */
  readonly #peaks: { readonly height: number; readonly hash: Bytes }[] = [];
  size = 0;

  /** Add an entry of 32 bytes. */
  add(entry: Uint8Array): void {
    let [height, hash] = [0, leafOf(entry)];
    while (this.#peaks.at(-1)?.height === height) {
      hash = nodeOf(this.#peaks.pop()!.hash, hash);
      height++;
    }
    this.#peaks.push({ height, hash });
    this.size++;
  }

  root(): Bytes {
    if (this.size === 0) return digest(new Uint8Array(0));
    return this.#peaks.map(({ hash }) => hash).reduceRight((right, left) => nodeOf(left, right));
  }
}

/** The root over the header digests of a set, in hex. */
export function setRoot(headers: readonly string[]): string {
  const tree = new Tree();
  for (const header of headers) {
    const raw = fromHex(header);
    if (raw.length !== 32) return "";
    tree.add(raw);
  }
  return hex(tree.root());
}
