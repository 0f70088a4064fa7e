/**
 * Forms that act: read them, ask for confirmation, say what came of it.
 *
 * @remarks Two steps for whatever cannot be taken back: the form's button only opens the dialog, which repeats the
 * act and its consequence.
 */

import { command, Declined, Unreachable } from "./api.js";
import { at } from "./dom.js";
import { Refused } from "./errors.js";
import type { Members, Value } from "./hall.js";
import type { Speech } from "./dom.js";

/** What the members of `form` are, by the types their inputs name. Empty and unchecked ones are left out. */
export function members(form: HTMLFormElement): Members {
  const made: Members = {};
  for (const element of form.elements) {
    if (!(element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement)) continue;
    if (element.name === "" || element.type === "file") continue;
    const ticked = !(element instanceof HTMLInputElement) || !["checkbox", "radio"].includes(element.type) || element.checked;
    if (ticked && element.value !== "") made[element.name] = typed(element.value.trim(), element.dataset["type"]);
  }
  return made;
}

function typed(text: string, type: string | undefined): Value {
  switch (type) {
    case "number":
      return Number(text);
    case "boolean":
      return text === "true";
    case "moment": // a local field means Beijing's time, whatever zone the device is in
      return new Date(`${text}${text.length === 16 ? ":00" : ""}+08:00`).toISOString();
    default:
      return text;
  }
}

/** Say under `form` what came of it. */
export function tell(form: ParentNode, value: "working" | "done" | "failed", ...sentences: readonly string[]): void {
  const outcome = form.querySelector<HTMLElement>("[data-outcome]");
  if (outcome === null) return;
  outcome.dataset["value"] = value;
  outcome.replaceChildren(
    ...sentences.filter(Boolean).map((sentence) => {
      const line = document.createElement("p");
      line.textContent = sentence;
      return line;
    }),
  );
}

/** The sentences for whatever went wrong. */
export function explain(error: unknown, speech: Speech): string[] {
  const { language, words } = speech;
  if (error instanceof Declined) {
    return [error.title[language], error.article?.[language] ?? "", error.nextStep[language]];
  }
  if (error instanceof Unreachable) return [words["ui.network"]!];
  if (error instanceof Refused) {
    const known = words[`refused.${error.code}`];
    return known === undefined ? [`${error.message} (${error.code})`, error.hint] : [known];
  }
  return [words["ui.failed"]!, String(error)];
}

/** Run `work` for a submitted form: one at a time, with its outcome beneath. True if it was done. */
export async function running(form: HTMLFormElement, speech: Speech, work: () => Promise<string | void>): Promise<boolean> {
  const buttons = [...form.querySelectorAll<HTMLButtonElement>("button")].filter((button) => !button.disabled);
  for (const button of buttons) button.disabled = true;
  form.setAttribute("aria-busy", "true");
  tell(form, "working", speech.words["ui.working"]!);
  try {
    tell(form, "done", (await work()) ?? speech.words["ui.done"]!);
    return true;
  } catch (error) {
    tell(form, "failed", ...explain(error, speech));
    return false;
  } finally {
    for (const button of buttons) button.disabled = false;
    form.removeAttribute("aria-busy");
  }
}

/** Ask in the dialog; true if it was confirmed. Without a dialog in the page nothing is. */
export function confirmed(title: string, effect: string): Promise<boolean> {
  const dialog = document.getElementById("confirm");
  if (!(dialog instanceof HTMLDialogElement)) return Promise.resolve(false);
  dialog.querySelector("h2")!.textContent = title;
  dialog.querySelector("[data-effect]")!.textContent = effect;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Let every form with `data-command` send its command. `data` is what the page shows, for titles and consequences. */
export function wireCommands(source: string, speech: Speech, data: () => Members): void {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.dataset["command"] === undefined) return;
    event.preventDefault();
    void send(form, form.dataset["command"], source, speech, data());
  });
}

async function send(form: HTMLFormElement, name: string, source: string, speech: Speech, data: Members): Promise<void> {
  const { title, effect, confirm } = form.dataset;
  const button = form.querySelector("button")?.textContent ?? name;
  if (effect !== undefined) {
    const words = (at(data, title!) as Members | undefined)?.[speech.language];
    const consequence = speech.words[`effect.${String(at(data, effect))}`] ?? "";
    if (!(await confirmed(String(words ?? button), consequence))) return;
  } else if (confirm !== undefined && !(await confirmed(button, confirm))) return;
  const done = await running(form, speech, async () => {
    await command(source, name, members(form));
  });
  if (!done) return;
  form.reset();
  if (effect !== undefined) form.querySelector("[data-outcome]")?.replaceChildren(); // the page itself shows the step
}
