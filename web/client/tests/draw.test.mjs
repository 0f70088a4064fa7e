import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { fromHex } from "../../static/js/bytes.js";
import { commitment, pick } from "../../static/js/draw.js";

const recorded = JSON.parse(readFileSync(new URL("../../../tests/vectors/crypto/draw.json", import.meta.url)));

test("a commitment is the one the hall makes", async () => {
  for (const { role, party, seed, commitment: committed } of recorded.parties) {
    assert.equal(await commitment(recorded.session, recorded.round, { role, party }, fromHex(seed)), committed);
  }
});

test("what is drawn is what the hall draws", async () => {
  for (const { id, values, drawn } of recorded.urns) {
    assert.deepEqual(await pick(fromHex(recorded.randomness), id, values, values.length), drawn);
  }
});
