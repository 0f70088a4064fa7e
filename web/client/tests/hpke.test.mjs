import assert from "node:assert/strict";
import { test } from "node:test";

import { base64url, concat, fromHex, hex, utf8 } from "../../static/js/bytes.js";
import { hpkeOpen, hpkeSeal, sealWith } from "../../static/js/hpke.js";
import { flipped, refusal } from "./support.mjs";

const P256 = { name: "ECDH", namedCurve: "P-256" };

async function pairOf(secret, point) {
  const [x, y] = [point.slice(1, 33), point.slice(33)].map(base64url);
  const publicJwk = { kty: "EC", crv: "P-256", x, y };
  return {
    publicKey: await crypto.subtle.importKey("jwk", publicJwk, P256, true, []),
    privateKey: await crypto.subtle.importKey("jwk", { ...publicJwk, d: base64url(secret) }, P256, false, ["deriveBits"]),
  };
}

test("sealing gives the ciphertext of RFC 9180 appendix A.3.1", async () => {
  const enc = fromHex(
    "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4",
  );
  const ephemeral = await pairOf(fromHex("4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb"), enc);
  const recipient = fromHex(
    "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0",
  );
  const sealed = await sealWith(
    ephemeral,
    recipient,
    utf8("Ode on a Grecian Urn"),
    utf8("Beauty is truth, truth beauty"),
    16,
    utf8("Count-0"),
  );
  const ct = "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434";
  assert.equal(hex(sealed), hex(enc) + ct);
});

test("the recipient opens it, for the same purpose only", async () => {
  const keys = await crypto.subtle.generateKey(P256, false, ["deriveBits"]);
  const other = await crypto.subtle.generateKey(P256, false, ["deriveBits"]);
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const sealed = await hpkeSeal(point, utf8("info"), utf8("secret"));
  assert.equal(sealed.length, 65 + 6 + 16);
  assert.deepEqual(await hpkeOpen(keys, utf8("info"), sealed), utf8("secret"));
  for (const [pair, info, message] of [
    [keys, "other info", sealed],
    [other, "info", sealed],
    [keys, "info", flipped(sealed, 70)],
    [keys, "info", flipped(sealed, 64)],
    [keys, "info", sealed.slice(0, 70)],
    [keys, "info", concat(sealed, Uint8Array.of(0))],
  ]) {
    await assert.rejects(hpkeOpen(pair, utf8(info), message), refusal("not_decryptable"));
  }
});

test("nothing is sealed to what is no point of the curve", async () => {
  for (const point of [new Uint8Array(65), Uint8Array.of(4, ...new Uint8Array(64)), new Uint8Array(33)]) {
    await assert.rejects(hpkeSeal(point, utf8("info"), utf8("secret")), refusal("weak_key"));
  }
});
