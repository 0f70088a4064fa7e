/**
 * Keys kept by this browser, so that a seat asks for passwords once.
 *
 * @remarks IndexedDB stores a non-extractable CryptoKey without ever showing its bytes, to this origin only. Whoever
 * can use this browser profile can use the keys: offer {@link forget} plainly, and call it on shared machines.
 */

import { Refused } from "./errors.js";
import type { Identity, KeyPair } from "./identity.js";
import { readCertificate } from "./x509.js";

const DATABASE = "kaibiao-keys";
const STORE = "identities";

interface StoredPair {
  readonly certificate: Uint8Array<ArrayBuffer>;
  readonly key: CryptoKey;
}

interface Stored {
  readonly sign: StoredPair;
  readonly encrypt: StoredPair;
}

/** Keep `identity` under `name` (a bidder's id, say), in place of what was there. */
export async function keep(name: string, identity: Identity): Promise<void> {
  const pair = ({ certificate, key }: KeyPair): StoredPair => ({ certificate: certificate.der.slice(), key });
  const stored: Stored = { sign: pair(identity.sign), encrypt: pair(identity.encrypt) };
  await inStore("readwrite", (store) => store.put(stored, name));
}

/** The identity kept under `name`, or null. */
export async function recall(name: string): Promise<Identity | null> {
  const stored = (await inStore("readonly", (store) => store.get(name))) as Stored | undefined;
  if (stored === undefined) return null;
  const pair = (purpose: KeyPair["purpose"], { certificate, key }: StoredPair): KeyPair => ({
    purpose,
    certificate: readCertificate(certificate),
    key,
  });
  return { sign: pair("sign", stored.sign), encrypt: pair("encrypt", stored.encrypt) };
}

/** Keep one key pair under `name`: an officer has no signing key here. */
export async function keepPair(name: string, { purpose, certificate, key }: KeyPair): Promise<void> {
  const stored = { purpose, certificate: certificate.der.slice(), key };
  await inStore("readwrite", (store) => store.put(stored, name));
}

/** The key pair kept under `name`, or null. */
export async function recallPair(name: string): Promise<KeyPair | null> {
  const stored = (await inStore("readonly", (store) => store.get(name))) as (StoredPair & Pick<KeyPair, "purpose">) | undefined;
  if (stored === undefined) return null;
  return { purpose: stored.purpose, certificate: readCertificate(stored.certificate), key: stored.key };
}

/** The names under which identities are kept. */
export async function kept(): Promise<readonly string[]> {
  return (await inStore("readonly", (store) => store.getAllKeys())) as string[];
}

/** Forget the identity under `name`, or all of them. */
export async function forget(name?: string): Promise<void> {
  await inStore("readwrite", (store) => (name === undefined ? store.clear() : store.delete(name)));
}

/** Run one request in a transaction of its own; settled once the transaction is, so what was kept is kept. */
async function inStore<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await opened();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(unavailable(transaction.error));
      transaction.onabort = () => reject(unavailable(transaction.error));
    });
  } finally {
    database.close();
  }
}

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(unavailable(request.error));
  });
}

function unavailable(cause: unknown): Refused {
  return new Refused(
    "no_keystore",
    "this browser cannot keep keys",
    "A private window may forbid it; the keys then last until the page is closed.",
    cause,
  );
}
