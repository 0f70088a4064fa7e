import assert from "node:assert/strict";
import { test } from "node:test";

import { fromHex, hex, utf8 } from "../../static/js/bytes.js";
import { canonical } from "../../static/js/canonical.js";
import { plainCommitment } from "../../static/js/keys.js";
import { keyIn, rescueFile } from "../../static/js/rescue.js";

const bytes = (from) => Uint8Array.from({ length: 32 }, (_, i) => from + i);

test("the commitment is the one that the other language makes", async () => {
  const pc = await plainCommitment(bytes(0), "quote", bytes(32), utf8('{"price":"1280000.00"}'));
  assert.equal(hex(pc), "b9c230baa966f6471a2ba69803305b10f740af9038ad98dd8ef12c09c828ecea"); // tests/crypto/test_rescue.py
});

test("a rescue file is canonical and names its header", () => {
  const file = rescueFile("ab".repeat(32), bytes(32), { price: "1280000.00" });
  const told = JSON.parse(new TextDecoder().decode(file));
  assert.deepEqual(Object.keys(told).sort(), ["header_sha256", "quote", "salt", "v", "what"]);
  assert.deepEqual(file, canonical(told));
});

test("a key file is bare bytes or text, and nothing else", () => {
  const key = bytes(0);
  assert.deepEqual(keyIn(key), key);
  assert.deepEqual(keyIn(utf8(`${hex(key)}\n`)), key);
  assert.deepEqual(keyIn(utf8("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")), fromHex(hex(key)));
  assert.equal(keyIn(utf8("no key")), null);
});
