import assert from "node:assert/strict";
import { test } from "node:test";

import { fromHex, hex, utf8 } from "../../static/js/bytes.js";
import { expand, extract, hmac, sha256, x963 } from "../../static/js/kdf.js";

test("HKDF gives the first vector of RFC 5869", async () => {
  const prk = await extract(fromHex("000102030405060708090a0b0c"), fromHex("0b".repeat(22)));
  assert.equal(hex(prk), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  const okm = await expand(prk, fromHex("f0f1f2f3f4f5f6f7f8f9"), 42);
  assert.equal(hex(okm), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
});

test("HKDF gives the third vector of RFC 5869, which has no salt", async () => {
  const prk = await extract(new Uint8Array(0), fromHex("0b".repeat(22)));
  assert.equal(hex(prk), "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
});

test("HMAC-SHA-512 gives the second vector of RFC 4231", async () => {
  assert.equal(
    hex(await hmac(utf8("Jefe"), utf8("what do ya want for nothing?"), "SHA-512")),
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
  );
});

test("the X9.63 KDF is one hash with a counter of one", async () => {
  assert.deepEqual(await x963(utf8("shared"), utf8("info")), await sha256(utf8("shared"), fromHex("00000001"), utf8("info")));
});
