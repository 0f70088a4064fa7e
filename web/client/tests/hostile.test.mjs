// Whatever is done to bytes from outside, the answer is a refusal with a code: no other error, no endless work.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { base64url, fromBase64url, fromUtf8, utf8 } from "../../static/js/bytes.js";
import { parseStrict } from "../../static/js/canonical.js";
import { readDeclaration } from "../../static/js/declaration.js";
import { Refused } from "../../static/js/errors.js";
import { readHeader } from "../../static/js/header.js";
import { readStatement } from "../../static/js/jws.js";
import { readLocks } from "../../static/js/locks.js";
import { openPkcs12 } from "../../static/js/pkcs12.js";
import { readSealed } from "../../static/js/sealed.js";
import { readSlot } from "../../static/js/slots.js";
import { readCertificate, readPem } from "../../static/js/x509.js";

const FOLDER = new URL("../../../tests/vectors/crypto/", import.meta.url);
const vectors = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));
const bid = vectors("sealed-ec");
const file = fromBase64url(bid.file);
const sealed = await readSealed(new Blob([file]));
const headerBytes = file.slice(16, sealed.partsAt);

const layeredFile = fromBase64url(vectors("sealed-layers").file);
const layeredHeader = layeredFile.slice(16, (await readSealed(new Blob([layeredFile]))).partsAt);
const announced = vectors("split-release").locks.map(({ id, threshold, officers }) => ({
  id,
  threshold,
  officers: officers.map(({ certificate }) => ({ certificate: base64url(readPem(certificate)[0].der) })),
}));

/** Numbers from a seed (mulberry32), so that a failure comes again. */
function numbers(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function spoiled(bytes, next) {
  const copy = Uint8Array.from(bytes);
  for (let i = next(3); i >= 0; i--) copy[next(copy.length)] = next(4) === 0 ? [0, 0x80, 0xff, 0x30][next(4)] : next(256);
  return next(4) === 0 ? copy.slice(0, next(copy.length + 1)) : copy;
}

for (const [what, bytes, read, rounds] of [
  ["certificate", readPem(bid.authority)[0].der, readCertificate, 2000],
  ["slot", sealed.header.groups[0].slots[0].data, readSlot, 2000],
  ["header", headerBytes, readHeader, 1000],
  ["header with shares", layeredHeader, readHeader, 1000],
  ["announcement of locks", utf8(JSON.stringify(announced)), (data) => readLocks(parseStrict(data, 65_536)), 1000],
  ["declaration", sealed.declaration, (data) => readDeclaration(data, sealed.header.signer), 500],
  ["sealed bid", file, (data) => readSealed(new Blob([data])), 500],
  ["PKCS#12 file", fromBase64url(bid.credentials.sign_p12), (data) => openPkcs12(data, bid.credentials.p12_password), 300],
  ["statement", utf8(vectors("statements").by_hall), (data) => readStatement(fromUtf8(data)), 1000],
]) {
  test(`a spoiled ${what} is read or refused, and nothing else happens`, async () => {
    const next = numbers(20261121);
    let refusals = 0;
    for (let i = 0; i < rounds; i++) {
      const data = spoiled(bytes, next);
      try {
        await read(data);
      } catch (error) {
        assert.ok(error instanceof Refused, `${error?.stack}\n${Buffer.from(data).toString("hex").slice(0, 2000)}`);
        refusals++;
      }
    }
    assert.ok(refusals > rounds / 10, `${refusals} refusals`);
  });
}
