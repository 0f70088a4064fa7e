/** That a log only grew: consistency proofs of RFC 9162 section 2.1.4.2. */

import { type Bytes, equal } from "../bytes.js";
import { nodeOf } from "../audit/tree.js";

/** One size of a log and its root. */
export interface Head {
  readonly size: number;
  readonly root: Bytes;
}

/** Whether `path` shows that the log of `next` begins with all of the log of `old`. */
export function grew(old: Head, next: Head, path: readonly Bytes[]): boolean {
  if (old.size > next.size) return false;
  if (old.size === next.size) return path.length === 0 && equal(old.root, next.root);
  if (old.size === 0) return path.length === 0;
  let [node, last] = [old.size - 1, next.size - 1];
  while (node % 2 === 1) [node, last] = up(node, last);
  const rest = node === 0 ? [...path] : path.slice(1); // a whole subtree is its own first hash
  const first = node === 0 ? old.root : path[0];
  if (first === undefined) return false;
  let [before, after]: [Bytes, Bytes] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      before = nodeOf(sibling, before);
      after = nodeOf(sibling, after);
      while (node % 2 === 0 && node !== 0) [node, last] = up(node, last);
    } else {
      after = nodeOf(after, sibling);
    }
    [node, last] = up(node, last);
  }
  return last === 0 && equal(before, old.root) && equal(after, next.root);
}

function up(node: number, last: number): [number, number] {
  return [Math.floor(node / 2), Math.floor(last / 2)];
}
