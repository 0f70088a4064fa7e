import assert from "node:assert/strict";
import { test } from "node:test";

import { concat, utf8 } from "../../static/js/bytes.js";
import { CHUNK, collect, open, openRange, plainLength, seal, sealedLength, streamKey } from "../../static/js/chunked.js";
import { flipped, refusal, someBytes } from "./support.mjs";

const KEY = someBytes(32);
const SALT = someBytes(24);
const LENGTHS = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 256 * CHUNK - 1, 256 * CHUNK, 513 * CHUNK + 7];

const aKey = (key = KEY, context = "test") => streamKey(key, utf8(context), SALT);
const sealed = async (plain) => collect(seal(await aKey(), new Blob([plain])));

test("what was sealed opens, at every length around a chunk and a batch", async () => {
  for (const length of LENGTHS) {
    const plain = someBytes(length);
    const stream = await sealed(plain);
    assert.equal(stream.length, sealedLength(length));
    assert.equal(plainLength(stream.length), length);
    assert.deepEqual(await collect(open(await aKey(), new Blob([stream]))), plain);
    assert.deepEqual(await collect(open(await aKey(), stream)), plain, "from bytes at hand too");
  }
});

test("a range opens alone", async () => {
  const plain = someBytes(270 * CHUNK + 9);
  const stream = new Blob([await sealed(plain)]);
  for (const [start, end] of [[0, 1], [5, 5], [CHUNK - 1, CHUNK + 1], [CHUNK, 2 * CHUNK], [3, 269 * CHUNK], [255 * CHUNK, 257 * CHUNK], [270 * CHUNK, Infinity], [0, 270 * CHUNK + 9], [271 * CHUNK, Infinity]]) {
    assert.deepEqual(await collect(openRange(await aKey(), stream, start, end)), plain.slice(start, end));
  }
});

test("another key or context is told by the commitment", async () => {
  const stream = new Blob([await sealed(someBytes(10))]);
  for (const key of [await aKey(flipped(KEY, 0)), await aKey(KEY, "other")]) {
    await assert.rejects(collect(open(key, stream)), refusal("commitment_mismatch"));
  }
});

test("a changed bit is found wherever it is", async () => {
  const stream = await sealed(someBytes(2 * CHUNK + 100));
  for (const [at, code] of [[0, "commitment_mismatch"], [55, "commitment_mismatch"], [56, "damaged_part"], [56 + CHUNK + 16, "damaged_part"], [stream.length - 1, "damaged_part"]]) {
    await assert.rejects(collect(open(await aKey(), new Blob([flipped(stream, at)]))), refusal(code));
  }
});

test("a stream cut short, made longer or with its chunks exchanged is refused", async () => {
  const stream = await sealed(someBytes(2 * CHUNK + 100));
  const full = CHUNK + 16;
  const [prefix, first, second, last] = [stream.slice(0, 56), stream.slice(56, 56 + full), stream.slice(56 + full, 56 + 2 * full), stream.slice(56 + 2 * full)];
  for (const wrong of [
    stream.slice(0, 40),
    concat(prefix, first, second),
    concat(prefix, first, second.slice(0, 100)),
    concat(prefix, first, last),
    concat(prefix, second, first, last),
    concat(stream, last),
  ]) {
    await assert.rejects(collect(open(await aKey(), new Blob([wrong]))), (error) => ["damaged_part", "commitment_mismatch"].includes(error.code));
  }
});

test("a file that can no longer be read says so", async () => {
  const gone = { size: 10, slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException("gone", "NotReadableError")) }) };
  await assert.rejects(async () => collect(seal(await aKey(), gone)), refusal("source_changed"));
});
