import assert from "node:assert/strict";
import { test } from "node:test";

import { readPaper } from "../src/paper.ts";

const DIGEST = "ab".repeat(32);

test("the code of a printed record names its session and its digest", () => {
  assert.deepEqual(readPaper(`#record=GC-2026-0417-02:${DIGEST}`), { kind: "record", session: "GC-2026-0417-02", says: DIGEST });
});

test("the code of a receipt names its session and its tracker", () => {
  assert.deepEqual(readPaper("#tracker=gx-1:K7F2-9QWM-3TRD-A1"), { kind: "tracker", session: "gx-1", says: "K7F2-9QWM-3TRD-A1" });
});

for (const hash of [
  "",
  "#drop-title",
  `#record=gx-1:${DIGEST}00`,
  "#record=gx-1:",
  `#record=:${DIGEST}`,
  `#record=../host/x:${DIGEST}`,
  `#record=${encodeURIComponent("../x")}:${DIGEST}`,
  `#record=%E0%A4%A:${DIGEST}`,
  "#tracker=gx-1:k7f2-9qwm-3trd-a1",
  "#tracker=gx-1:ILOU-9QWM-3TRD-A1",
  "#key=gx-1:K7F2-9QWM-3TRD-A1",
]) {
  test(`anything else names no paper: ${hash}`, () => assert.equal(readPaper(hash), null));
}
