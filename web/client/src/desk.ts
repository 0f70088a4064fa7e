/** The console of host and deputy, and the supervisor's desk: the page that follows, and forms that act. */

import { command } from "./api.js";
import { at } from "./dom.js";
import { Drawing, type Party } from "./draw.js";
import { members, running, wireCommands } from "./forms.js";
import type { Members } from "./hall.js";
import { LockPanel } from "./lockpanel.js";
import { wireRescue } from "./rescuing.js";
import { watched } from "./log/watched.js";
import { pageData, type PageData } from "./page.js";

const data = pageData() as PageData & { readonly account: string };
const following = watched(data, () => {
  const shown = page?.shown() ?? {};
  for (const input of document.querySelectorAll<HTMLInputElement>("input[data-path]")) {
    input.value = String(at(shown, input.dataset["path"]!) ?? "");
    input.defaultValue = input.value;
  }
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-ready]")) {
    form.querySelector("button")!.disabled = at(shown, form.dataset["ready"]!) !== true;
  }
  void drawing?.look(page.view);
  panel?.draw();
});
const { page } = following;

const part: Party = { role: data.role === "supervisor" ? "supervisor" : "host", party: data.account };
const session = (page.view["session"] as Members)["id"] as string;
const drawing = data.live ? new Drawing(data.source, session, part, data) : null;
document.querySelector("[data-draw-again]")!.addEventListener("click", () => void drawing?.look(page.view));

const panel = data.live ? LockPanel.on(data.source, data.account, data, () => page.view) : null;

wireCommands(data.source, data, () => page.shown());
wireRescue(data.source, session, null, data);

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form instanceof HTMLFormElement) || form.dataset["act"] !== "staff-sign") return;
  event.preventDefault();
  // The hall signs in this person's name, after the second factor; who the signer is follows from the login.
  void running(form, data, async () => {
    await command(data.source, "SignRecord", members(form));
  });
});

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key !== "Enter") return;
  if (event.target instanceof HTMLElement && event.target.closest("form, dialog") !== null) return;
  document.querySelector<HTMLButtonElement>(".next:not([hidden]) button.main:not(:disabled)")?.click();
});

following.start();
