/**
 * An officer's side of the locks: take the shares that are sealed to one's own key out of what the hall hands over
 * (crypto/FORMAT.md sections 6 and 13).
 *
 * @remarks The key stays in the page and is not extractable. Nothing here asks whether the time has come: that the
 * barrier has passed is the page's to check, in the public record, before it calls {@link openSealed}.
 */

import type { Bytes } from "./bytes.js";
import type { HolderRole } from "./header.js";
import { placeOf } from "./held.js";
import { hpkeOpenWith } from "./hpke.js";
import type { KeyPair } from "./identity.js";
import { type ReleasePlace, shareInfo } from "./locks.js";
import { checkShare } from "./quorum.js";
import { openSlot } from "./slots.js";
import { pointOf } from "./x509.js";

/** One share as the hall hands it to its officer: from a release (`hpke`), or from a slot of the bid (`slot`). */
export type SealedShare = {
  readonly index: number;
  readonly threshold: number;
  readonly count: number;
  readonly kcs: Bytes;
  /** ctx_g of the bid's group. A wrong one makes the share a wrong one, and nothing else. */
  readonly context: Bytes;
} & (
  | { readonly lock: string; readonly where: ReleasePlace; readonly hpke: Bytes }
  | { readonly lock: HolderRole; readonly slot: Bytes }
);

/**
 * Open a share with the officer's own key, and compare it with its commitment.
 *
 * @remarks `wrong_recipient`, `slot_not_openable` or `not_decryptable`: it was not sealed to this key, for this opening.
 * `share_mismatch`: it was, and is not the share the bidder committed to; the bidder sealed it wrong.
 */
export async function openSealed(share: SealedShare, officer: KeyPair): Promise<Bytes> {
  const { context, ...place } = share;
  if ("slot" in share) {
    const value = await openSlot(share.slot, officer);
    return (await checkShare({ ...place, where: placeOf(share.lock) }, context, value)).value;
  }
  const info = shareInfo(share.where, share.lock, share.index);
  const value = await hpkeOpenWith(officer.key, await pointOf(officer.certificate), info, share.hpke);
  return (await checkShare({ ...place, where: share.lock }, context, value)).value;
}
