// Moments of a log, which the second verifier reads by the ten thousand.

import assert from "node:assert/strict";
import { test } from "node:test";

import { moment, written } from "../../static/js/audit/shapes.js";

test("a moment is read as a Date reads it, also after others of its day", () => {
  for (const text of ["2026-11-21T00:00:00.000Z", "2026-11-21T23:59:59.999Z", "2028-02-29T12:34:56.789Z", "0001-01-01T00:00:00.001Z", "2026-11-21T09:05:07.040Z"]) {
    assert.equal(moment(text), Date.parse(text));
    assert.equal(written(moment(text)), text);
  }
});

test("what never was, or is written otherwise, is no moment", () => {
  for (const text of [
    "2026-02-30T00:00:00.000Z",
    "2027-02-29T00:00:00.000Z",
    "2026-11-21T24:00:00.000Z",
    "2026-11-21T23:60:00.000Z",
    "2026-11-21T23:59:60.000Z",
    "0000-01-01T00:00:00.000Z",
    "2026-11-21T00:00:00Z",
    "2026-11-21T00:00:00.000+00:00",
    null,
    1,
  ]) {
    assert.throws(() => moment(text), /a moment/);
  }
});
