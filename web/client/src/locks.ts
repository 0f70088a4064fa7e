/**
 * An opening behind several locks: a key cut into shares for the officers of each (crypto/FORMAT.md section 6, release
 * version 2). The bidder's page makes them, an officer's page opens its own; keys never leave either.
 */

import { base64url, type Bytes, concat, equal, hex, lv, utf8 } from "./bytes.js";
import type { Json, JsonObject } from "./canonical.js";
import { form, reading, Refused, require } from "./errors.js";
import { asBase64url, asHex, asIdentifier, asList, asText, members } from "./fields.js";
import { type GroupId, groupOf, type Header } from "./header.js";
import { hpkeOpenWith, hpkeSeal } from "./hpke.js";
import type { KeyPair } from "./identity.js";
import { verifyByCertificate } from "./jws.js";
import { checkCommitment, contextOf } from "./keys.js";
import { checkQuorum, checkShare, type Place, placeJson, type Quorum, readPlace, readQuorum, recover, ShareRefused, shareCommitment } from "./quorum.js";
import { add, type Share, split } from "./shares.js";
import { type Certificate, fingerprint, pointOf } from "./x509.js";

/** One lock: any `threshold` of the holders of `certificates` (encryption, P-256) open it together. */
export interface Lock extends Quorum {
  readonly id: string;
}

/** What a release is bound to. */
export interface ReleasePlace {
  readonly session: string;
  readonly group: GroupId;
  readonly headerSha256: Bytes;
  readonly nonce: Bytes;
}

/** One share as it stands in a release. */
export interface LockedShare {
  /** `where` is the lock's id. */
  readonly place: Place;
  /** SHA-256 of the officer's certificate. */
  readonly certificate: Bytes;
  readonly hpke: Bytes;
  readonly info: Bytes;
  readonly context: Bytes;
}

const MOST_LOCKS = 4;
const LOCK_ID = /^[a-z][a-z0-9-]{0,31}$/;
const HPKE_LENGTH = 113;

/** The locks of a tender file or plan, in its order: `[{id, threshold, officers: [{certificate, ..}]}]`. `malformed_tender`. */
export function readLocks(value: Json): readonly Lock[] {
  const said = reading("malformed_tender", "locks", () => asList(value, 1, MOST_LOCKS));
  const locks = said.map((each) => {
    const id = reading("malformed_tender", "lock", () => {
      form(typeof each === "object" && each !== null && !Array.isArray(each), "an object is expected");
      return asText((each as JsonObject)["id"], LOCK_ID);
    });
    return { id, ...readQuorum(each) };
  });
  checkLocks(locks);
  return locks;
}

/** Refuse locks that one opening cannot have: 1 to 4, each of its own name, all on P-256, nobody behind two of them. */
export function checkLocks(locks: readonly Lock[]): void {
  locks.forEach(checkQuorum);
  const officers = locks.flatMap(({ certificates }) => certificates);
  const named = new Set(locks.map(({ id }) => id)).size === locks.length && locks.every(({ id }) => LOCK_ID.test(id));
  require(named && locks.length >= 1 && locks.length <= MOST_LOCKS, "malformed_shares", "an opening has 1 to 4 locks, each of its own name");
  const once = new Set(officers.map(({ der }) => hex(der))).size === officers.length;
  require(once, "malformed_shares", "one officer is behind two locks");
  require(officers.every(({ keyKind }) => keyKind === "P-256"), "weak_key", "locks are for keys on P-256");
}

/** The members `shares` of a release: the key cut into one piece a lock, each piece into shares. */
export async function lockKey(key: Bytes, locks: readonly Lock[], where: ReleasePlace, context: Bytes): Promise<JsonObject[]> {
  checkLocks(locks);
  const pieces = locks.slice(1).map(() => crypto.getRandomValues(new Uint8Array(32)) as Bytes);
  pieces.push(pieces.reduce(add, key)); // all pieces together give the key, fewer say nothing
  const sealed = locks.map(({ id, threshold, certificates }, l) =>
    split(pieces[l]!, threshold, certificates.length).map((share, i) =>
      lockShare(id, threshold, share, certificates, certificates[i]!, where, context),
    ),
  );
  return Promise.all(sealed.flat());
}

async function lockShare(
  lock: string,
  threshold: number,
  share: Share,
  { length: count }: readonly Certificate[],
  officer: Certificate,
  where: ReleasePlace,
  context: Bytes,
): Promise<JsonObject> {
  const kcs = await shareCommitment(lock, share, context);
  const hpke = await hpkeSeal(await pointOf(officer), shareInfo(where, lock, share.index), share.value);
  const place = placeJson({ where: lock, index: share.index, threshold, count, kcs });
  return { lock, ...place, cert: hex(fingerprint(officer)), hpke: base64url(hpke) };
}

/**
 * Read a release in shares and check all of it that needs no officer's key.
 *
 * @param signer - the bidder's signing certificate. An officer's page takes header and locks from the public record.
 * Codes: `malformed_release`, `bad_signature`, `wrong_signer`, `wrong_release_mode`, `wrong_session`, `wrong_bid`,
 * `stale_nonce`, `commitment_mismatch`, `wrong_locks`.
 */
export async function readSplitRelease(
  token: string,
  signer: Certificate,
  header: Header,
  where: ReleasePlace,
  locks: readonly Lock[],
): Promise<readonly LockedShare[]> {
  const context = await contextOf(header, where.group);
  const payload = await verified(token, signer);
  const stated = reading("malformed_release", "release", () => {
    form(payload["v"] === 1 || payload["v"] === 2, "no such version");
    require(payload["v"] === 2, "wrong_release_mode", "the release is to the server, and this opening has locks");
    const top = members(payload, ["v", "session", "group", "header_sha256", "nonce", "kcb", "shares"]);
    form(top.group === "A" || top.group === "B", "a group is A or B");
    const shares = asList(top.shares).map((each) => readShare(each, where, context));
    const [session, group] = [asIdentifier(top.session), top.group as GroupId];
    return { session, group, headerSha256: asHex(top.header_sha256, 32), nonce: asHex(top.nonce, 32), kcb: asHex(top.kcb, 32), shares };
  });
  require(stated.session === where.session, "wrong_session", "the release is for another opening");
  const same = equal(stated.headerSha256, where.headerSha256) && stated.group === where.group;
  require(same, "wrong_bid", "the release is for another bid");
  require(equal(stated.nonce, where.nonce), "stale_nonce", "the release answers another challenge");
  require(equal(stated.kcb, groupOf(header, where.group).kcb), "commitment_mismatch", "the release is for another key");
  await checkFor(stated.shares, locks);
  return stated.shares;
}

/** Open one's own share of a release, and compare it with its commitment: `wrong_recipient`, `not_decryptable`, `share_mismatch`. */
export async function openShare(share: LockedShare, officer: KeyPair): Promise<Bytes> {
  const own = equal(share.certificate, fingerprint(officer.certificate));
  require(own, "wrong_recipient", "this share is for another officer", "Use the certificate the announcement names.");
  const value = await hpkeOpenWith(officer.key, await pointOf(officer.certificate), share.info, share.hpke);
  return (await checkShare(share.place, share.context, value)).value;
}

/** The shares of `locked` that are for the holder of `certificate`. */
export async function sharesFor(locked: readonly LockedShare[], certificate: Certificate): Promise<readonly LockedShare[]> {
  const own = fingerprint(certificate);
  return locked.filter((share) => equal(share.certificate, own));
}

/**
 * `K_b` from what the officers opened, as anybody who has the shares can put it together.
 *
 * @remarks `share_mismatch` (a {@link ShareRefused} with lock and officer), `too_few_shares`; `commitment_mismatch` with
 * every share right is the bidder's doing, and shares, release and header prove it.
 */
export async function assemble(
  header: Header,
  group: GroupId,
  locked: readonly LockedShare[],
  opened: readonly { readonly lock: string; readonly index: number; readonly value: Bytes }[],
): Promise<Bytes> {
  const context = await contextOf(header, group);
  const ids = [...new Set(locked.map(({ place }) => place.where))];
  const stray = opened.find(({ lock }) => !ids.includes(lock));
  if (stray !== undefined) throw new ShareRefused("malformed_shares", "a share of no lock", stray.lock, stray.index);
  let key: Bytes = new Uint8Array(32);
  for (const id of ids) {
    const places = locked.flatMap(({ place }) => (place.where === id ? [place] : []));
    key = add(key, await recover(context, places, opened.filter(({ lock }) => lock === id)));
  }
  await checkCommitment(key, context, groupOf(header, group).kcb);
  return key;
}

async function verified(token: string, signer: Certificate): Promise<JsonObject> {
  try {
    return await verifyByCertificate(token, "release", signer);
  } catch (error) {
    if (!(error instanceof Refused) || error.code === "bad_signature" || error.code === "wrong_signer") throw error;
    throw new Refused("malformed_release", error.message, error.hint, error);
  }
}

function readShare(value: Json, where: ReleasePlace, context: Bytes): LockedShare {
  const stated = members(value, ["lock", "i", "t", "n", "cert", "kcs", "hpke"]);
  const lock = asText(stated.lock, LOCK_ID);
  const place = readPlace(lock, stated);
  const hpke = asBase64url(stated.hpke);
  form(hpke.length === HPKE_LENGTH, "a share of another length");
  return { place, certificate: asHex(stated.cert, 32), hpke, info: shareInfo(where, lock, place.index), context };
}

async function checkFor(shares: readonly LockedShare[], locks: readonly Lock[]): Promise<void> {
  const expected: string[] = [];
  for (const { id, threshold, certificates } of locks) {
    for (const [i, officer] of certificates.entries()) {
      expected.push([id, i + 1, threshold, certificates.length, hex(fingerprint(officer))].join());
    }
  }
  const found = shares.map(({ place, certificate }) =>
    [place.where, place.index, place.threshold, place.count, hex(certificate)].join(),
  );
  const same = found.length === expected.length && found.every((each, i) => each === expected[i]);
  require(same, "wrong_locks", "the release is not for the locks of this opening");
}

/** What the share of one officer is sealed for. */
export function shareInfo({ session, group, headerSha256, nonce }: ReleasePlace, lock: string, index: number): Bytes {
  return concat(utf8("SBID1/share"), lv(session), lv(group), lv(headerSha256), lv(nonce), lv(lock), Uint8Array.of(index));
}
