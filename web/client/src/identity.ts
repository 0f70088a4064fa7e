/** Who takes part: the certificates of one bidder and the keys to them. */

import { equal } from "./bytes.js";
import { Refused, require } from "./errors.js";
import { signedBy, signRaw } from "./signing.js";
import { openSlot, sealSlot } from "./slots.js";
import type { Certificate } from "./x509.js";

/** A certificate and the key to it. The key signs, or it opens slots; never both. */
export interface KeyPair {
  readonly purpose: "sign" | "encrypt";
  readonly certificate: Certificate;
  readonly key: CryptoKey;
}

/** What a bidder takes part with: one certificate to sign and one to be encrypted to, of the same subject. */
export interface Identity {
  readonly sign: KeyPair;
  readonly encrypt: KeyPair;
}

/**
 * The identity among opened key pairs: exactly one to sign and one to encrypt, of the same subject and issuer.
 *
 * @remarks Usually from two files, since CAs issue two certificates; one file with both keys does as well. Otherwise
 * `pair_mismatch`.
 */
export function identityOf(pairs: readonly KeyPair[]): Identity {
  const one = (purpose: KeyPair["purpose"]): KeyPair => {
    const found = pairs.filter((pair) => pair.purpose === purpose);
    require(
      found.length === 1,
      "pair_mismatch",
      `${found.length} certificates to ${purpose} where one is expected`,
      "Choose the file of your signing certificate and the file of your encryption certificate.",
    );
    return found[0]!;
  };
  const [sign, encrypt] = [one("sign"), one("encrypt")];
  require(
    equal(sign.certificate.subjectDer, encrypt.certificate.subjectDer) &&
      equal(sign.certificate.issuerDer, encrypt.certificate.issuerDer),
    "pair_mismatch",
    "the two certificates are not of the same subject and issuer",
    "Choose the two files that were issued together.",
  );
  return { sign, encrypt };
}

/**
 * Try a key against its certificate on a random value, here and now: sign and verify, or seal and open.
 *
 * @remarks Run it when keys are loaded, and again on the day. It stays local on purpose: a rehearsal whose question
 * came from a server could be the real slot (a decryption oracle). Refuses with `pair_mismatch`.
 */
export async function rehearse(pair: KeyPair): Promise<void> {
  const value = crypto.getRandomValues(new Uint8Array(32));
  const { certificate, key, purpose } = pair;
  let fits: boolean;
  try {
    fits =
      purpose === "sign"
        ? await signedBy(certificate, await signRaw(certificate.keyKind, key, value), value)
        : equal(await openSlot(await sealSlot(value, certificate), pair), value);
  } catch (error) {
    throw mismatch(error);
  }
  if (!fits) throw mismatch();
}

function mismatch(cause?: unknown): Refused {
  return new Refused("pair_mismatch", "the key does not fit its certificate", "Export both again from the same store.", cause);
}
