/** PEM (RFC 7468) in the one form in which a bundle has it: 64 columns, line feeds, nothing around it. */

import { base64, type Bytes, fromBase64, fromUtf8 } from "../bytes.js";
import { demand } from "./report.js";

/** The DER inside `bytes`. */
export function fromPem(bytes: Bytes, label: "CERTIFICATE" | "X509 CRL"): Bytes {
  const text = fromUtf8(bytes);
  const [head, tail] = [`-----BEGIN ${label}-----\n`, `-----END ${label}-----\n`];
  demand(text.startsWith(head) && text.endsWith(tail), `no PEM of a ${label}`);
  const body = text.slice(head.length, -tail.length);
  const der = fromBase64(body.replaceAll("\n", ""));
  demand(base64(der).replace(/.{1,64}/g, "$&\n") === body, "PEM in another form than it has here");
  return der;
}
