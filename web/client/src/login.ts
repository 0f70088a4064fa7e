/** Logging in: a bidder by a signed challenge, staff by account, password and one-time code. */

import { ask } from "./api.js";
import { base64url } from "./bytes.js";
import type { Speech } from "./dom.js";
import { members, running } from "./forms.js";
import type { Identity } from "./identity.js";
import { signStatement } from "./jws.js";
import { keepIfWanted, nameOf, openFiles } from "./keyring.js";
import { kept, recall } from "./keystore.js";

const speech = JSON.parse(document.getElementById("page")!.textContent) as Speech;
const bidder = document.querySelector<HTMLFormElement>('form[data-act="bidder"]')!;
const staff = document.querySelector<HTMLFormElement>('form[data-act="staff"]')!;

async function prove({ sign }: Identity): Promise<void> {
  const { nonce, origin, at } = (await ask("POST", "/api/v1/login/challenge", {})) as Record<string, string>;
  // What is signed names the place: a page elsewhere cannot have this signed and use it here.
  const payload = { v: 1, origin: origin!, nonce: nonce!, at: at! };
  await ask("POST", "/api/v1/login/certificate", {
    statement: await signStatement("login", payload, sign),
    certificate: base64url(sign.certificate.der),
    chain: [],
  });
}

/** Go where the reader came from; only ever to a page of this hall. */
function onward(form: HTMLFormElement): void {
  const wanted = form.dataset["next"] ?? "/";
  location.assign(/^\/(?![/\\])/.test(wanted) ? wanted : "/");
}

bidder.addEventListener("submit", (event) => {
  event.preventDefault();
  void running(bidder, speech, async () => {
    const identity = await openFiles(bidder);
    await prove(identity);
    await keepIfWanted(bidder, identity);
    onward(bidder);
  });
});

staff.addEventListener("submit", (event) => {
  event.preventDefault();
  void running(staff, speech, async () => {
    const { account, password, code } = members(staff);
    await ask("POST", "/login", { account: account!, password: password!, code: code! });
    onward(staff);
  });
});

async function offerKept(): Promise<void> {
  const name = (await kept())[0];
  const identity = name === undefined ? null : await recall(name);
  if (identity === null) return;
  const box = bidder.querySelector<HTMLElement>("[data-known]")!;
  const button = box.querySelector<HTMLButtonElement>("[data-recall]")!;
  button.textContent = nameOf(identity);
  box.hidden = false;
  button.addEventListener("click", () => {
    void running(bidder, speech, async () => {
      await prove(identity);
      onward(bidder);
    });
  });
}

void offerKept().catch(() => undefined); // a browser that keeps no keys offers none
