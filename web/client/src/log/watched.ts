/** A page that follows an opening and checks it as it goes: the public page and the desks alike. */

import type { Members, View } from "../hall.js";
import { Page, type PageData } from "../page.js";
import { say, Watch } from "./watch.js";

export interface Watched {
  readonly page: Page;
  /** Null where the page shows a made-up opening, or one that goes by no log. */
  readonly watch: Watch | null;
  /** Begin to follow, and to check. */
  start(): void;
}

/** Set the page up. `changed` runs after each fill, ahead of every check: none of them holds an act back. */
export function watched(data: PageData, changed: (view: View) => void = () => undefined): Watched {
  const alarm = document.getElementById("alarm");
  const dialog = document.querySelector<HTMLDialogElement>("#row-proof");
  const watch = data.live && alarm !== null ? new Watch(data, alarm) : null;
  const page = new Page(
    data,
    (view) => {
      changed(view);
      watch?.seen(view);
      if (watch !== null && dialog !== null) showMarks(view);
    },
    (fact) => watch?.heard(fact),
  );
  if (watch !== null && dialog !== null) wireProofs(page, data, watch, dialog);
  return {
    page,
    watch,
    start: () => {
      page.start();
      watch?.start();
    },
  };
}

/** A row can be proved once it is decided. */
function showMarks(view: View): void {
  const bids = view["bids"] as { [row: string]: Members };
  for (const mark of document.querySelectorAll<HTMLElement>("[data-prove]")) {
    mark.hidden = !["opened", "not_opened"].includes(bids[rowOf(mark)]?.["state"] as string);
  }
}

function rowOf(mark: Element): string {
  return mark.closest<HTMLElement>("[data-key]")!.dataset["key"]!;
}

function wireProofs(page: Page, data: PageData, watch: Watch, dialog: HTMLDialogElement): void {
  document.addEventListener("click", (event) => {
    const mark = (event.target as Element).closest<HTMLElement>("[data-prove]");
    if (mark === null) return;
    const bid = (page.view["bids"] as { [row: string]: Members })[rowOf(mark)]!;
    void import("./panel.js")
      .then(({ showProof }) => showProof(dialog, data, watch, bid, page.view.n))
      .then((outcome) => (mark.dataset["value"] = outcome))
      .catch(() => {
        dialog.querySelector("[data-told]")!.textContent = say(data.words, "proof.unreachable_none");
        if (!dialog.open) dialog.showModal();
      });
  });
}
