/** The proof of one row: what was checked, here, with what result, each in a sentence. Loaded when first asked for. */

import { equal } from "../bytes.js";
import { moment } from "../dom.js";
import type { Members } from "../hall.js";
import type { PageData } from "../page.js";
import { type Heard, rootOf } from "./facts.js";
import { type Opened, seenBy, stands } from "./keep.js";
import { checkRow, type Line, type Published, resultOf } from "./row.js";
import { ask, say, Split, Unreachable, type Watch } from "./watch.js";

const SHOWN = { ok: "pass", no: "fail", none: "skip" } as const; // as the verification page shows results

/** Open the panel for the bid `bid` of the view at `n`; return what came of it all. */
export async function showProof(dialog: HTMLDialogElement, data: PageData, watch: Watch, bid: Members, n: number): Promise<Line["outcome"]> {
  const { words } = data;
  const list = dialog.querySelector<HTMLElement>("[data-lines]")!;
  const told = dialog.querySelector<HTMLElement>("[data-told]")!;
  dialog.querySelector("[data-who]")!.textContent = bid["name"] as string;
  for (const line of list.querySelectorAll("li")) line.remove();
  told.textContent = say(words, "proof.working");
  told.dataset["value"] = "none";
  const mine = String(Number(dialog.dataset["turn"] ?? 0) + 1);
  dialog.dataset["turn"] = mine; // another row may be asked for before this one is through
  dialog.showModal();
  const lines: Line[] = [];
  const show = (line: Line): void => {
    lines.push(line);
    if (dialog.dataset["turn"] !== mine) return;
    const item = list.querySelector("template")!.content.firstElementChild!.cloneNode(true) as HTMLElement;
    item.dataset["value"] = SHOWN[line.outcome];
    item.querySelector("[data-result]")!.textContent = say(words, `proof.${line.outcome}`);
    item.querySelector("[data-sentence]")!.textContent = say(words, `proof.${line.id}_${line.outcome}`, line.said);
    list.append(item);
  };
  try {
    const history = await watch.history(n);
    const row = bid["row"] as number;
    const text = await ask(`${watch.source}/bids/${row}/proof`).catch(() => null);
    const published = text === null ? null : (JSON.parse(text) as Published);
    const result = resultOf(history, bid["bidder"] as string);
    for (const line of await checkRow(history, row, bid["bidder"] as string, bid["quote"] ?? null, published)) show(line);
    if (result !== null) await standing(data, watch, result, show);
  } catch (error) {
    const why = error instanceof Split ? "split" : error instanceof Unreachable ? "unreachable" : "broken";
    show({ id: why, outcome: why === "unreachable" ? "none" : "no", said: {} });
  }
  const all = lines.some(({ outcome }) => outcome === "no") ? "no" : lines.some(({ outcome }) => outcome === "none") ? "none" : "ok";
  if (dialog.dataset["turn"] !== mine) return all;
  told.textContent = say(words, `proof.all_${all}`, { count: lines.filter(({ outcome }) => outcome === "ok").length, of: lines.length });
  told.dataset["value"] = all;
  return all;
}

/** The event under a checkpoint, the checkpoint over the facts, and who else holds it. */
async function standing(data: PageData, watch: Watch, result: Heard, show: (line: Line) => void): Promise<void> {
  const pinned = await watch.pinned();
  if (pinned === null) return show({ id: "log", outcome: "none", said: {} });
  const before = watch.kept;
  const given = await ask(`${watch.source}/log/proof/${result.n}`);
  if (given === null) throw new Unreachable("the proof of the event");
  const { holds, opened } = await stands(given, result.n, result.digest, (note) => watch.judge(note));
  const { size } = opened.checkpoint;
  show({ id: "event", outcome: holds ? "ok" : "no", said: { n: result.n, size } });
  const facts = await watch.history(size);
  const same = equal(rootOf(facts, size), opened.checkpoint.root);
  show({ id: "chain", outcome: same ? "ok" : "no", said: { size } });
  const at = before === null ? "" : moment(Date.parse(before.at), "moment", data.language);
  // A checkpoint of another history has raised the alarm and does not come here.
  show({ id: before === null ? "first" : "kept", outcome: "ok", said: { size: before === null ? size : Number(before.note.split("\n")[1]), at } });
  let seen = await held(opened, pinned.witnesses, pinned.quorum);
  const frozen = facts.find(({ type }) => type === "SetFrozen");
  if (seen.id === "witnesses" && seen.outcome === "none" && frozen !== undefined) {
    // Witnesses are asked at points and not after each event: they hold the set long before they hold the row.
    const earlier = await ask(`${watch.source}/log/proof/${frozen.n}`);
    if (earlier === null) throw new Unreachable("the proof of the set");
    const fixed = await stands(earlier, frozen.n, frozen.digest, (note) => watch.judge(note));
    if (fixed.holds) seen = await held(fixed.opened, pinned.witnesses, pinned.quorum);
  }
  show(seen);
}

async function held({ note, checkpoint }: Opened, witnesses: readonly string[], quorum: number): Promise<Line> {
  if (witnesses.length === 0) return { id: "unwatched", outcome: "none", said: {} };
  const seen = await seenBy(note, witnesses);
  const names = seen.filter(({ at }) => at !== null).map(({ name }) => name);
  const outcome = seen.some(({ broken }) => broken) ? "no" : names.length >= quorum ? "ok" : "none";
  return { id: "witnesses", outcome, said: { names: names.join(", "), held: names.length, of: witnesses.length, quorum, size: checkpoint.size } };
}
