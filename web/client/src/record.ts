/** The record's replay: the views after each fact, rebuilt from the facts alone, shown in the sheet. */

import { fill, moment } from "./dom.js";
import { type Fact, merge, type View } from "./hall.js";
import { Page, pageData } from "./page.js";
import { screen } from "./screen.js";

const data = pageData();
const box = document.getElementById("replay")!;
const slider = box.querySelector<HTMLInputElement>("[data-replay]")!;
const sheet = document.getElementById("replayed")!;
const page = new Page(data);

/** The facts that patch an empty view into each view; all of them, or none if one is missing. */
async function allFacts(): Promise<Fact[]> {
  const facts: Fact[] = [];
  while (facts.length < data.view.n) {
    const answer = await fetch(`${data.source}/events?after=${facts.length}`);
    const { events } = (await answer.json()) as { events: Fact[] };
    if (!answer.ok || events.length === 0) return [];
    facts.push(...events);
  }
  return facts;
}

function show(facts: readonly Fact[], n: number): void {
  let view = {} as View;
  for (const fact of facts.slice(0, n)) view = merge(view, fact.patch) as View;
  fill(sheet, screen(view, 0, data.said), data);
  const fact = facts[n - 1]!;
  const said = `${moment(Date.parse(fact.at), "clock", data.language)} · ${fact.words[data.language]} (${n})`;
  box.querySelector("[data-replay-label]")!.textContent = said;
  slider.setAttribute("aria-valuetext", said);
}

function wire(facts: readonly Fact[]): void {
  if (facts.length === 0) return;
  const go = (n: number): void => {
    slider.value = String(Math.max(1, Math.min(facts.length, n)));
    show(facts, Number(slider.value));
  };
  slider.max = String(facts.length);
  slider.addEventListener("input", () => go(Number(slider.value)));
  box.querySelector("[data-replay-back]")!.addEventListener("click", () => go(Number(slider.value) - 1));
  box.querySelector("[data-replay-on]")!.addEventListener("click", () => go(Number(slider.value) + 1));
  go(facts.length);
  box.hidden = false;
}

// A record that is still growing is followed like the live page; one that is over is replayed.
if (["ended", "failed", "aborted"].includes(data.view["status"] as string) && data.live) {
  void allFacts().then(wire, () => undefined); // without the facts the sheet stands as it is
} else {
  page.start();
}
