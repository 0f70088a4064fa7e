/** The second verifier beside the page: a bundle comes in, each check goes out as it is made, then the report. */

import { digestHex } from "../sha256.js";
import { hex } from "../bytes.js";
import { sha256 } from "../kdf.js";
import { audit } from "./audit.js";
import type { Check, Report } from "./report.js";
import { SENTENCES } from "./words.js";

/** What the worker says: that it is loaded and needs nothing more from anywhere, a check, or the end. */
export type Said =
  | { readonly kind: "ready"; readonly checks: number }
  | { readonly kind: "check"; readonly check: Check }
  | { readonly kind: "report"; readonly report: Report; readonly sha256: string };

const tell = (said: Said): void => self.postMessage(said);

/** What it is asked: to check a bundle, beside a checkpoint that the reader kept ("" if none) and a receipt. */
export interface Asked {
  readonly bundle: ArrayBuffer;
  readonly kept: string;
  readonly receipt: ArrayBuffer | null;
}

self.addEventListener("message", ({ data: { bundle, kept, receipt } }: MessageEvent<Asked>) => {
  void run(new Uint8Array(bundle), kept, receipt === null ? null : new Uint8Array(receipt));
});

async function run(bundle: Uint8Array<ArrayBuffer>, kept: string, receipt: Uint8Array<ArrayBuffer> | null): Promise<void> {
  const digest = sha256(bundle);
  const report = await audit(bundle, (check) => tell({ kind: "check", check }), kept, receipt);
  tell({ kind: "report", report, sha256: hex(await digest) });
}

// FIPS 180-4, one block: if this machine gets that wrong, nothing it says of a bundle is worth anything.
if (digestHex("abc") !== "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") throw new Error("SHA-256 is broken here");
tell({ kind: "ready", checks: Object.keys(SENTENCES).length });
