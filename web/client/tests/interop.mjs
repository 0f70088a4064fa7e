// One errand in Node for tests/web/test_client_crypto.py: reads {do, ...} on stdin, writes the answer as JSON.
// A refusal is answered as {refused: code}, as a page would show it.

import { openAsBlob, readFileSync, writeFileSync } from "node:fs";

import { fromHex, hex } from "../../static/js/bytes.js";
import { collect } from "../../static/js/chunked.js";
import { sealBid } from "../../static/js/envelope.js";
import { identityOf } from "../../static/js/identity.js";
import { readHallKey } from "../../static/js/jws.js";
import { sha256 } from "../../static/js/kdf.js";
import { readLocks } from "../../static/js/locks.js";
import { openPkcs12 } from "../../static/js/pkcs12.js";
import { readQuorum } from "../../static/js/quorum.js";
import { answer, readChallenge } from "../../static/js/release.js";
import { checkSealed, openOwn, readSealed } from "../../static/js/sealed.js";
import { blobSink } from "../../static/js/sinks.js";
import { openSlot, sealSlot } from "../../static/js/slots.js";
import { bidderId, readPem } from "../../static/js/x509.js";

const bytesOf = async (blob) => new Uint8Array(await blob.arrayBuffer());
const opened = (path, password) => openPkcs12(new Uint8Array(readFileSync(path)), password);
const identity = async ({ keys, password }) => identityOf((await Promise.all(keys.map((path) => opened(path, password)))).flat());

async function exportable(key) {
  try {
    await crypto.subtle.exportKey("pkcs8", key);
    return true;
  } catch {
    return false;
  }
}

const ERRANDS = {
  async pkcs12({ path, password }) {
    const pairs = await opened(path, password);
    return {
      pairs: await Promise.all(
        pairs.map(async ({ purpose, certificate, key }) => ({
          purpose,
          serial: certificate.serial,
          bidder: bidderId(certificate),
          algorithm: key.algorithm.name,
          exportable: key.extractable || (await exportable(key)),
        })),
      ),
    };
  },

  async seal({ out, files, tenderer = null, escrow = null, ...request }) {
    const parts = files.map(async ({ path, type, ...file }) => ({ ...file, content: await openAsBlob(path, { type }) }));
    const own = await identity(request);
    const holders = { tenderer: tenderer && readQuorum(tenderer), escrow: escrow && readQuorum(escrow, "trustees") };
    const { file, ...summary } = await sealBid({ ...request, ...holders, files: await Promise.all(parts), identity: own, sink: blobSink() });
    writeFileSync(out, await bytesOf(file));
    return summary;
  },

  async open({ path, group, ...request }) {
    const sealed = await readSealed(await openAsBlob(path));
    const { root } = await checkSealed(sealed);
    const { quote, files } = await openOwn(sealed, group, (await identity(request)).encrypt);
    const contents = files.map(async ({ name, content }) => [name, hex(await sha256(await collect(content())))]);
    return { root: hex(root), quote, files: Object.fromEntries(await Promise.all(contents)) };
  },

  async sealSlot({ pem, content }) {
    return { slot: hex(await sealSlot(fromHex(content), readPem(pem)[0])) };
  },

  async openSlot({ slot, ...request }) {
    return { content: hex(await openSlot(fromHex(slot), (await identity(request)).encrypt)) };
  },

  async release({ challenge, expected, ...request }) {
    const hall = await readHallKey(expected.hall);
    const moments = { t0: new Date(expected.t0), now: new Date(expected.now) };
    const locks = expected.locks ? readLocks(expected.locks) : [];
    return { token: await answer(readChallenge(challenge), await identity(request), { ...expected, ...moments, hall, locks }) };
  },
};

const { do: errand, ...request } = JSON.parse(readFileSync(0, "utf8"));
try {
  process.stdout.write(JSON.stringify(await ERRANDS[errand](request)));
} catch (error) {
  if (error.code === undefined || error.hint === undefined) throw error;
  process.stdout.write(JSON.stringify({ refused: error.code, hint: error.hint }));
}
