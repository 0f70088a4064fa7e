/** The forms that hand in a rescue: a bidder's for its own bid, the host's for the bid of whoever is chosen. */

import type { Speech } from "./dom.js";
import { running } from "./forms.js";
import { handIn } from "./rescue.js";

/** Listen to the form, if the page has one; `bidder` is null where the form says whose bid it is. */
export function wireRescue(source: string, session: string, bidder: string | null, speech: Speech): void {
  const form = document.querySelector<HTMLFormElement>("form[data-rescue]");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    void running(form, speech, async () => {
      const chosen = form.querySelector<HTMLInputElement>('input[name="bidder"]:checked')?.value ?? "";
      const file = form.querySelector<HTMLInputElement>('input[type="file"]')!.files![0]!;
      await handIn(source, session, bidder ?? chosen, new Uint8Array(await file.arrayBuffer()));
      form.reset();
    });
  });
}
