import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, fromHex, hex } from "../../static/js/bytes.js";
import { sha256 } from "../../static/js/kdf.js";
import { includes, leafHash, Segments, treeRoot } from "../../static/js/merkle.js";
import { someBytes } from "./support.mjs";

// The inputs and roots of the reference tree of Certificate Transparency (RFC 6962).
const INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

test("roots are those of the reference tree", async () => {
  const leaves = await Promise.all(INPUTS.map((input) => leafHash(fromHex(input))));
  for (const [i, root] of ROOTS.entries()) assert.equal(hex(await treeRoot(leaves.slice(0, i + 1))), root);
  assert.deepEqual(await treeRoot([]), await sha256(new Uint8Array(0)));
});

test("segments have the same root however the bytes arrive", async () => {
  const data = someBytes(1000);
  const leaves = await Promise.all([...Array(16).keys()].map((i) => leafHash(data.subarray(64 * i, 64 * i + 64))));
  const expected = await treeRoot(leaves);
  for (const step of [1, 63, 64, 65, 1000]) {
    const segments = new Segments(64);
    for (let at = 0; at < data.length; at += step) await segments.add(data.subarray(at, at + step));
    assert.deepEqual(await segments.root(), expected);
    assert.equal(segments.leaves.length, 16);
  }
});

test("an inclusion proof holds for its leaf and for nothing else", async () => {
  const leaves = await Promise.all(INPUTS.slice(0, 7).map((input) => leafHash(fromHex(input))));
  const root = await treeRoot(leaves);
  const path = async (index, from, to) => {
    if (to - from === 1) return [];
    let split = 1;
    while (split * 2 < to - from) split *= 2;
    return index < from + split
      ? [...(await path(index, from, from + split)), await treeRoot(leaves.slice(from + split, to))]
      : [...(await path(index, from + split, to)), await treeRoot(leaves.slice(from, from + split))];
  };
  for (let i = 0; i < 7; i++) {
    const proof = await path(i, 0, 7);
    assert.ok(await includes(leaves[i], i, 7, proof, root));
    assert.ok(!(await includes(leaves[(i + 1) % 7], i, 7, proof, root)));
    assert.ok(!(await includes(leaves[i], i, 7, proof.slice(1), root)));
    assert.ok(!(await includes(leaves[i], i, 7, [...proof, concat(root)], root)));
  }
  assert.ok(!(await includes(leaves[0], 7, 7, [], root)));
});
