/** Extensions of certificates and of revocation lists (RFC 5280 sections 4.2, 5.2 and 5.3). */

import type { Bytes } from "../bytes.js";
import * as der from "../der.js";
import type { Certificate } from "../x509.js";

export interface Extension {
  readonly id: string;
  readonly critical: boolean;
  readonly value: Bytes;
}

/** Every extension of a certificate. */
export function extensionsOf(certificate: Certificate): readonly Extension[] {
  const [tbs] = der.children(der.read(certificate.der), der.TAG.sequence);
  const field = der.children(tbs).find(({ tag }) => tag === der.context(3));
  if (field === undefined) return [];
  return readExtensions(der.inner(field));
}

/** The members of a SEQUENCE OF Extension, of a certificate or of a list or one of its entries. */
export function readExtensions(sequence: der.Element | undefined): readonly Extension[] {
  if (sequence === undefined) return [];
  return der.children(sequence, der.TAG.sequence).map((extension) => {
    const parts = der.children(extension, der.TAG.sequence);
    return { id: der.oid(parts[0]), critical: parts.length === 3 && parts[1]!.body[0] === 0xff, value: der.octets(parts.at(-1)) };
  });
}

/** An extension of a certificate by its identifier, or null. */
export function extensionOf(certificate: Certificate, id: string): Extension | null {
  return extensionsOf(certificate).find((each) => each.id === id) ?? null;
}
