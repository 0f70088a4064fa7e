import assert from "node:assert/strict";
import { test } from "node:test";

import { blobSink, sinkFor } from "../../static/js/sinks.js";
import { someBytes } from "./support.mjs";

test("a sink gives back what it was given, in order", async () => {
  const sink = blobSink();
  for (const [start, end] of [[0, 10], [10, 10], [10, 1000]]) await sink.write(someBytes(1000).subarray(start, end));
  assert.deepEqual(new Uint8Array(await (await sink.close()).arrayBuffer()), someBytes(1000));
});

test("where there are no private files, even a large bid goes to memory", async () => {
  const sink = await sinkFor(2 ** 40, "bid.sbid");
  await sink.write(Uint8Array.of(1));
  assert.equal((await sink.close()).size, 1);
});
