/** The bidder's keys in the page: opened from files, kept by the browser if wanted, shown by their certificate. */

import { utf8 } from "./bytes.js";
import { moment, type Speech } from "./dom.js";
import { running } from "./forms.js";
import { type Identity, identityOf, type KeyPair, rehearse } from "./identity.js";
import { forget, keep, recall } from "./keystore.js";
import { openPkcs12 } from "./pkcs12.js";
import { attribute, bidderId } from "./x509.js";

/** Open the files of one form into an identity. The same password opens all of them. */
export async function openFiles(form: HTMLFormElement): Promise<Identity> {
  const files = form.querySelector<HTMLInputElement>('input[name="files"]')!.files!;
  const password = form.querySelector<HTMLInputElement>('input[name="password"]')!.value;
  const pairs: KeyPair[] = [];
  for (const file of files) pairs.push(...(await openPkcs12(new Uint8Array(await file.arrayBuffer()), password)));
  return identityOf(pairs);
}

/** Keep `identity` if the form says so; a browser that keeps none does without. */
export async function keepIfWanted(form: HTMLFormElement, identity: Identity): Promise<void> {
  if (form.querySelector<HTMLInputElement>('input[name="keep"]')?.checked !== true) return;
  try {
    await keep(bidderId(identity.sign.certificate), identity);
  } catch {
    // A private window keeps nothing: the keys last until the page is closed.
  }
}

/** The name a person knows a certificate by. */
export function nameOf(identity: Identity): string {
  const { certificate } = identity.sign;
  return attribute(certificate, "organization") ?? attribute(certificate, "commonName") ?? bidderId(certificate);
}

/** The seat's own keys: a box that opens them, and {@link Keys.need} for acts that want one. */
export class Keys {
  #identity: Identity | null = null;
  readonly #speech: Speech;
  readonly #bidder: string;
  readonly #changed: () => void;

  /** `changed` runs when keys were opened or forgotten. */
  constructor(bidder: string, speech: Speech, changed: () => void) {
    this.#bidder = bidder;
    this.#speech = speech;
    this.#changed = changed;
  }

  /** What was opened, if anything. */
  get identity(): Identity | null {
    return this.#identity;
  }

  /** Show what the browser kept, and listen to the box. */
  async start(): Promise<void> {
    const form = document.querySelector<HTMLFormElement>('form[data-keys="open"]')!;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void running(form, this.#speech, async () => {
        const identity = await openFiles(form);
        await keepIfWanted(form, identity);
        await this.#show(identity);
      });
    });
    document.querySelector("[data-keys-forget]")!.addEventListener("click", () => void this.#forget());
    try {
      await this.#show(await recall(this.#bidder));
    } catch {
      await this.#show(null);
    }
  }

  /** The identity, or null after pointing at the box that opens it. */
  need(): Identity | null {
    if (this.#identity === null) {
      document.querySelector("#keys")!.scrollIntoView({ block: "center" });
      document.querySelector<HTMLElement>('#keys input[name="files"]')!.focus();
    }
    return this.#identity;
  }

  async #forget(): Promise<void> {
    try {
      await forget(this.#bidder);
    } finally {
      await this.#show(null);
    }
  }

  async #show(identity: Identity | null): Promise<void> {
    this.#identity = identity;
    document.querySelector<HTMLElement>("[data-keys-tested]")!.hidden = true;
    document.querySelector<HTMLElement>('[data-keys="ready"]')!.hidden = identity === null;
    document.querySelector<HTMLElement>('[data-keys="open"]')!.hidden = identity !== null;
    if (identity === null) {
      this.#changed();
      return;
    }
    const { certificate } = identity.sign;
    document.querySelector("[data-keys-name]")!.textContent = nameOf(identity);
    document.querySelector("[data-keys-tail]")!.textContent = certificate.serial.slice(-6).toUpperCase();
    document.querySelector("[data-keys-until]")!.textContent = moment(
      certificate.notAfter.getTime(),
      "day",
      this.#speech.language,
    );
    await Promise.all([rehearse(identity.sign), rehearse(identity.encrypt)]); // the self-test, on this device and day
    document.querySelector<HTMLElement>("[data-keys-tested]")!.hidden = false;
    this.#changed();
  }
}

/** An address under which `text` can be saved. */
export function textFile(text: string, type: string): string {
  return URL.createObjectURL(new Blob([utf8(text)], { type }));
}
