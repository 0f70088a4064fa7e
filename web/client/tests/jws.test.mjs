import assert from "node:assert/strict";
import { test } from "node:test";

import { base64url, fromBase64url, fromHex, fromUtf8, utf8 } from "../../static/js/bytes.js";
import { readHallKey, readStatement, signStatement, verifyByCertificate, verifyByHall } from "../../static/js/jws.js";
import { sha256 } from "../../static/js/kdf.js";
import { aPair, refusal } from "./support.mjs";

const PAYLOAD = { v: 1, session: "开标-1" };

async function aHall() {
  const keys = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey));
  const kid = base64url((await sha256(raw)).slice(0, 16));
  const document = { v: 1, alg: "Ed25519", kid, x: base64url(raw) };
  const sign = async (head, payload) => {
    const text = `${base64url(utf8(JSON.stringify(head)))}.${base64url(utf8(JSON.stringify(payload)))}`;
    return `${text}.${base64url(new Uint8Array(await crypto.subtle.sign("Ed25519", keys.privateKey, utf8(text))))}`;
  };
  return { document, key: await readHallKey(document), sign };
}

for (const kind of ["P-256", "P-384", "RSA"]) {
  test(`a statement by ${kind} verifies with its certificate`, async () => {
    const pair = await aPair("sign", { kind });
    const token = await signStatement("checkin", PAYLOAD, pair);
    assert.deepEqual(await verifyByCertificate(token, "checkin", pair.certificate), PAYLOAD);
    await assert.rejects(verifyByCertificate(token, "release", pair.certificate), refusal("wrong_kind"));
    const other = await aPair("sign", { kind });
    await assert.rejects(verifyByCertificate(token, "checkin", other.certificate), refusal("wrong_signer"));
  });
}

test("the header has three members and names the certificate", async () => {
  const pair = await aPair("sign");
  const [head] = (await signStatement("login", PAYLOAD, pair)).split(".");
  const { alg, typ, ...rest } = JSON.parse(fromUtf8(fromBase64url(head)));
  assert.deepEqual([alg, typ], ["ES256", "kaibiao-login+jws"]);
  assert.deepEqual(rest, { "x5t#S256": base64url(await sha256(pair.certificate.der)) });
});

test("a changed payload, a cut signature and a signature in DER do not verify", async () => {
  const pair = await aPair("sign");
  const [head, payload, signature] = (await signStatement("checkin", PAYLOAD, pair)).split(".");
  const other = base64url(utf8('{"v":2}'));
  for (const token of [`${head}.${other}.${signature}`, `${head}.${payload}.${signature.slice(0, 40)}`]) {
    await assert.rejects(verifyByCertificate(token, "checkin", pair.certificate), refusal("bad_signature"));
  }
});

test("what is not three parts of canonical JSON objects is malformed", async () => {
  const pair = await aPair("sign");
  const [head, payload, signature] = (await signStatement("checkin", PAYLOAD, pair)).split(".");
  const blank = base64url(utf8('{"v": 1}'));
  for (const token of ["", `${head}.${payload}`, `${head}.${payload}.${signature}.`, `${head}.${payload}=.${signature}`, `${head}.${blank}.${signature}`, `${head}.${base64url(utf8("1"))}.${signature}`]) {
    await assert.rejects(verifyByCertificate(token, "checkin", pair.certificate), refusal("malformed_token"));
  }
});

test("the hall's statements verify with its key, and not with a certificate", async () => {
  const hall = await aHall();
  const head = { alg: "Ed25519", kid: hall.key.kid, typ: "kaibiao-receipt+jws" };
  const token = await hall.sign(head, PAYLOAD.session ? { v: 1 } : {});
  assert.deepEqual(await verifyByHall(token, "receipt", hall.key), { v: 1 });
  await assert.rejects(verifyByHall(token, "receipt", (await aHall()).key), refusal("wrong_signer"));
  await assert.rejects(verifyByHall(token, "slip", hall.key), refusal("wrong_kind"));
  await assert.rejects(verifyByCertificate(token, "receipt", (await aPair("sign")).certificate), refusal("malformed_token"));
});

test("an algorithm or member that is not the key's own is malformed", async () => {
  const hall = await aHall();
  const { kid } = hall.key;
  const typ = "kaibiao-receipt+jws";
  for (const head of [{ alg: "ES256", kid, typ }, { alg: "none", kid, typ }, { alg: "Ed25519", crit: [], kid, typ }, { alg: "Ed25519", typ }]) {
    await assert.rejects(verifyByHall(await hall.sign(head, { v: 1 }), "receipt", hall.key), refusal("malformed_token"));
  }
});

test("a statement can be looked at before its signer is known", async () => {
  const pair = await aPair("sign");
  const { kind, payload, kid, certificate } = readStatement(await signStatement("login", PAYLOAD, pair));
  assert.deepEqual({ kind, payload, kid }, { kind: "login", payload: PAYLOAD, kid: null });
  assert.equal(certificate, base64url(await sha256(pair.certificate.der)));
});

test("a hall key of small order or with another's id is refused", async () => {
  const { document } = await aHall();
  for (const y of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`, `ee${"ff".repeat(31)}`, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"]) {
    await assert.rejects(readHallKey({ ...document, x: base64url(fromHex(y)) }), refusal("weak_key"));
  }
  await assert.rejects(readHallKey({ ...document, kid: (await aHall()).key.kid }), refusal("malformed_token"));
  for (const change of [{ use: "sig" }, { v: 2 }, { alg: "EdDSA" }, { x: document.x.slice(4) }]) {
    await assert.rejects(readHallKey({ ...document, ...change }), refusal("malformed_token"));
  }
});

test("a statement of no proper kind, or too long to be read, is not signed", async () => {
  const pair = await aPair("sign");
  for (const kind of ["", "Login", "a+b", "x".repeat(33)]) {
    await assert.rejects(signStatement(kind, PAYLOAD, pair), refusal("wrong_kind"));
  }
  await assert.rejects(signStatement("login", { text: "x".repeat(60_000) }, pair), refusal("too_large"));
});
