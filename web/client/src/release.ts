/**
 * Releasing the key of a bid at the opening (crypto/FORMAT.md section 6).
 *
 * @remarks The order is the protection. The slot is opened only after the client has seen for itself that the bid is
 * its own, that it stands in the frozen set, and that the time has come; the key leaves only after it has reproduced
 * the commitment made before the deadline.
 */

import { base64url, type Bytes, concat, equal, fromHex, hex, lv, utf8 } from "./bytes.js";
import type { Json } from "./canonical.js";
import { form, reading, require } from "./errors.js";
import { asBase64url, asHex, asIdentifier, asList, asText } from "./fields.js";
import { type GroupId, groupOf, readHeader } from "./header.js";
import { hpkeSeal } from "./hpke.js";
import type { Identity } from "./identity.js";
import { type HallKey, signStatement } from "./jws.js";
import { sha256 } from "./kdf.js";
import { checkCommitment, contextOf } from "./keys.js";
import { type Lock, lockKey } from "./locks.js";
import { leafHash, treeRoot } from "./merkle.js";
import { verifyReceipt } from "./receipt.js";
import { unlockGroup } from "./sealed.js";
import { bidderId } from "./x509.js";

/** What the hall asks of a bidder (hall/PROTOCOL.md, Release). Nothing in it is trusted. */
export interface Challenge {
  readonly session: string;
  readonly group: GroupId;
  readonly headerSha256: Bytes;
  readonly header: Bytes;
  readonly nonce: Bytes;
  /** The P-256 point releases are sealed to; of no use where there are locks. */
  readonly sessionKey: Bytes;
  /** The header digests of all bids of the frozen set, in row order, and their RFC 6962 root. */
  readonly headers: readonly Bytes[];
  readonly root: Bytes;
  readonly receipt: string;
}

/** What the page knows by other ways than the challenge. */
export interface Expectation {
  readonly session: string;
  readonly hall: HallKey;
  /** The root in the `SetFrozen` fact the public stream carried, in hex. */
  readonly root: string;
  /** The session key in the same fact, in base64url. */
  readonly sessionKey: string;
  /** The locks of the announcement, where it has some: the key then goes to their officers and not to the hall. */
  readonly locks?: readonly Lock[];
  /** The opening time now announced. */
  readonly t0: Date;
  /** The present moment, by the hall's clock. */
  readonly now: Date;
}

/** Read a challenge as the hall sends it; members not needed here are ignored. `malformed_challenge`. */
export function readChallenge(value: Json): Challenge {
  return reading("malformed_challenge", "challenge", () => {
    form(typeof value === "object" && value !== null && !Array.isArray(value), "an object is expected");
    const fields = value as { readonly [name: string]: Json };
    const group = fields["group"];
    form(group === "A" || group === "B", "a group is A or B");
    return {
      session: asIdentifier(fields["session"]),
      group,
      headerSha256: asHex(fields["header_sha256"], 32),
      header: asBase64url(fields["header"]),
      nonce: asHex(fields["nonce"], 32),
      sessionKey: asBase64url(fields["session_key"] ?? ""),
      headers: asList(fields["headers"], 1).map((digest) => asHex(digest, 32)),
      root: asHex(fields["root"], 32),
      receipt: asText(fields["receipt"]),
    };
  });
}

/**
 * Answer a challenge: check it, unwrap the key, seal it and sign. Returns the statement to post.
 *
 * `given` is the key from a key file, where the certificate does not work.
 *
 * @remarks Refuses before anything is unwrapped with `too_early`, `wrong_session`, `wrong_session_key`, `wrong_header`,
 * `not_my_bid`, `wrong_receipt`, `not_in_set`, `wrong_root`; then with the codes of the slot; and with
 * `commitment_mismatch` before anything leaves. Trying again is free.
 */
export async function answer(
  challenge: Challenge,
  identity: Identity,
  expected: Expectation,
  given: Bytes | null = null,
): Promise<string> {
  const { group, headerSha256, nonce, session, sessionKey } = challenge;
  const locks = expected.locks ?? [];
  require(expected.now >= expected.t0, "too_early", "the opening time has not come", "Wait for the opening.");
  require(session === expected.session, "wrong_session", "the challenge is of another session");
  require(
    locks.length > 0 || base64url(sessionKey) === expected.sessionKey,
    "wrong_session_key",
    "the key to seal to is not the one the public record names",
  );
  const header = await checkOwn(challenge, identity, expected);
  await checkSet(challenge, expected);

  const { kcb: committed } = groupOf(header, group);
  if (given !== null) await checkCommitment(given, await contextOf(header, group), committed);
  const key = given?.slice() ?? (await unlockGroup(header, group, identity.encrypt)); // stops on a commitment mismatch
  const kcb = hex(committed);
  const stated = { session, group, header_sha256: hex(headerSha256), nonce: hex(nonce), kcb };
  const payload =
    locks.length > 0
      ? { ...stated, v: 2, shares: await lockKey(key, locks, challenge, await contextOf(header, group)) }
      : { ...stated, v: 1, hpke: base64url(await hpkeSeal(sessionKey, infoOf(challenge), key)) };
  key.fill(0);
  return signStatement("release", payload, identity.sign);
}

function infoOf({ session, group, headerSha256, nonce }: Challenge): Bytes {
  return concat(utf8("SBID1/release"), lv(session), lv(group), lv(headerSha256), lv(nonce));
}

async function checkOwn({ header: bytes, headerSha256, receipt: token }: Challenge, identity: Identity, expected: Expectation) {
  require(equal(await sha256(bytes), headerSha256), "wrong_header", "the header is not the one that is named");
  const header = readHeader(bytes);
  const bidder = bidderId(identity.sign.certificate);
  require(header.bidder === bidder, "not_my_bid", "this is the bid of another bidder");
  require(new Date(header.deadline) <= expected.now, "too_early", "the deadline this bid was sealed under has not come");
  const receipt = await verifyReceipt(token, expected.hall);
  const same =
    receipt.session === expected.session &&
    receipt.bidder === bidder &&
    receipt.tender === header.tender &&
    receipt.lot === header.lot &&
    receipt.headerSha256 === hex(headerSha256);
  require(same, "wrong_receipt", "the receipt is not for this bid", "Tell the host: the hall names a bid it gave no receipt for.");
  return header;
}

async function checkSet({ headers, headerSha256, root }: Challenge, expected: Expectation): Promise<void> {
  require(
    headers.some((digest) => equal(digest, headerSha256)),
    "not_in_set",
    "this bid is not in the set that was frozen at the opening time",
    "Tell the host, and keep your receipt: the bid was received and is missing.",
  );
  const leaves = await Promise.all(headers.map((digest) => leafHash(digest)));
  require(
    equal(await treeRoot(leaves), root) && equal(root, fromHex(expected.root)),
    "wrong_root",
    "the frozen set shown to you is not the one in the public record",
    "Tell the supervisor: different lists are being shown.",
  );
}
