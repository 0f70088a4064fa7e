/** Hashes and key derivation that WebCrypto has, or is one step short of. */

import { type Bytes, concat, u32 } from "./bytes.js";

type Hash = "SHA-256" | "SHA-512";

/** SHA-256 of all `parts` joined. */
export async function sha256(...parts: readonly Uint8Array[]): Promise<Bytes> {
  const data = parts.length === 1 ? (parts[0] as Bytes) : concat(...parts);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

/** HMAC (RFC 2104). An empty key, which WebCrypto refuses, equals one zero byte: HMAC pads keys with zeros. */
export async function hmac(key: Bytes, data: Bytes, hash: Hash = "SHA-256"): Promise<Bytes> {
  const raw = key.length > 0 ? key : new Uint8Array(1);
  const handle = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", handle, data));
}

/** HKDF-Extract with SHA-256 (RFC 5869 section 2.2). */
export function extract(salt: Bytes, ikm: Bytes): Promise<Bytes> {
  return hmac(salt, ikm);
}

/** HKDF-Expand (RFC 5869 section 2.3). */
export async function expand(prk: Bytes, info: Bytes, length: number, hash: Hash = "SHA-256"): Promise<Bytes> {
  let okm = new Uint8Array(0);
  let block: Bytes = new Uint8Array(0);
  for (let i = 1; okm.length < length; i++) {
    block = await hmac(prk, concat(block, info, Uint8Array.of(i)), hash);
    okm = concat(okm, block);
  }
  return okm.slice(0, length);
}

/** The ANSI X9.63 KDF with SHA-256 (SEC 1 section 3.6.1), for up to 32 bytes: one block is all we need. */
export async function x963(shared: Bytes, info: Bytes): Promise<Bytes> {
  return sha256(shared, u32(1), info);
}
