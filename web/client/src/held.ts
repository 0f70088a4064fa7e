/**
 * Shares in the slots of a sealed bid: the tenderer's of `K_t`, the trustees' of `K_b` (crypto/FORMAT.md section 13).
 *
 * @remarks For those who hold one. Their key stays in the page, non-extractable; what comes out is one share.
 */

import { type Bytes, equal } from "./bytes.js";
import { require } from "./errors.js";
import { type GroupId, groupOf, type Header, type HolderRole, type SlotEntry } from "./header.js";
import type { KeyPair } from "./identity.js";
import { checkCommitment, checkSecondCommitment, contextOf } from "./keys.js";
import { checkQuorum, checkShare, type Place, type Quorum, recover, shareCommitment } from "./quorum.js";
import { type Share, split } from "./shares.js";
import { openSlot, sealSlot } from "./slots.js";
import { fingerprint } from "./x509.js";

/** How the commitments to a role's shares name it. No lock has a slash in its id. */
export function placeOf(role: HolderRole): string {
  return `slot/${role}`;
}

/** One slot for each of `quorum`, holding its share of `secret`. For sealing. */
export async function deal(role: HolderRole, secret: Bytes, quorum: Quorum, context: Bytes): Promise<readonly SlotEntry[]> {
  checkQuorum(quorum);
  const { certificates, threshold } = quorum;
  const count = certificates.length;
  const where = placeOf(role);
  return Promise.all(
    split(secret, threshold, count).map(async (share, i): Promise<SlotEntry> => {
      const place = { where, index: share.index, threshold, count, kcs: await shareCommitment(where, share, context) };
      const data = await sealSlot(share.value, certificates[i]!);
      return { role, certificate: fingerprint(certificates[i]!), data, place };
    }),
  );
}

/**
 * Open one's own share, and compare it with its commitment.
 *
 * @remarks `wrong_recipient` when no slot of the role is for this certificate, `slot_not_openable`, and
 * `share_mismatch` when the bidder sealed another share than it committed to.
 */
export async function openHeld(header: Header, group: GroupId, role: HolderRole, holder: KeyPair): Promise<Share> {
  const own = fingerprint(holder.certificate);
  const slot = groupOf(header, group).slots.find((each) => each.role === role && equal(each.certificate, own));
  require(slot?.place != null, "wrong_recipient", "this bid has no share for this certificate", "Use the certificate the tender names.");
  const value = await openSlot(slot.data, holder);
  return checkShare(slot.place, await contextOf(header, group), value);
}

/**
 * Try one's own share before the deadline: its place if it opens and matches, and nothing of its content.
 *
 * @remarks Keep question and answer on this device. It shows that the slot is no rubbish, not that the shares belong
 * together: nobody can see that before they come together.
 */
export async function checkHeld(header: Header, group: GroupId, role: HolderRole, holder: KeyPair): Promise<Place> {
  const { index } = await openHeld(header, group, role, holder);
  return placesOf(header, group, role).find((place) => place.index === index)!;
}

/** `K_t` (tenderer) or `K_b` (escrow) from enough shares, checked against the header: `commitment_mismatch`. */
export async function assembleHeld(header: Header, group: GroupId, role: HolderRole, shares: readonly Share[]): Promise<Bytes> {
  const context = await contextOf(header, group);
  const key = await recover(context, placesOf(header, group, role), shares);
  const { kcb, kct } = groupOf(header, group);
  if (role === "escrow") await checkCommitment(key, context, kcb);
  else await checkSecondCommitment(key, context, kct);
  return key;
}

function placesOf(header: Header, group: GroupId, role: HolderRole): readonly Place[] {
  return groupOf(header, group).slots.flatMap((slot) => (slot.role === role && slot.place !== null ? [slot.place] : []));
}
