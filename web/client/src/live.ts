/** The public page of an opening: what it shows, it also checks. */

import type { Members, View } from "./hall.js";
import { say, Watch } from "./log/watch.js";
import { Page, pageData } from "./page.js";

const data = pageData();
const alarm = document.getElementById("alarm");
const dialog = document.querySelector<HTMLDialogElement>("#row-proof");
const watch = data.live && alarm !== null ? new Watch(data, alarm) : null;

function changed(view: View): void {
  watch?.seen(view);
  if (watch === null || dialog === null) return;
  const bids = view["bids"] as { [row: string]: Members };
  for (const mark of document.querySelectorAll<HTMLElement>("[data-prove]")) {
    const row = mark.closest<HTMLElement>("[data-key]")!.dataset["key"]!;
    mark.hidden = !["opened", "not_opened"].includes(bids[row]?.["state"] as string);
  }
}

const page = new Page(data, changed, (fact) => watch?.heard(fact));
page.start();
watch?.start();

document.addEventListener("click", (event) => {
  const mark = (event.target as Element).closest<HTMLElement>("[data-prove]");
  if (mark === null || watch === null || dialog === null) return;
  const row = mark.closest<HTMLElement>("[data-key]")!.dataset["key"]!;
  const bid = (page.view["bids"] as { [row: string]: Members })[row]!;
  void import("./log/panel.js")
    .then(({ showProof }) => showProof(dialog, data, watch, bid, page.view.n))
    .then((outcome) => (mark.dataset["value"] = outcome))
    .catch(() => {
      dialog.querySelector("[data-told]")!.textContent = say(data.words, "proof.unreachable_none");
      if (!dialog.open) dialog.showModal();
    });
});
