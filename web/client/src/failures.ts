/** A seat's papers when its bid was not opened: the hall's certificates, and what it acknowledged meanwhile. */

import { ask } from "./api.js";
import { moment, type Speech } from "./dom.js";
import { textFile } from "./keyring.js";
import type { Members } from "./hall.js";

/** Fetch the certificates there are, and offer each to read, print and save. */
export async function showFailures(source: string, session: string, acks: readonly string[], speech: Speech): Promise<void> {
  const { failures } = (await ask("GET", `${source}/failures/mine`)) as { failures: Members[] };
  const box = document.querySelector<HTMLElement>("[data-failures]")!;
  box.hidden = failures.length === 0;
  box.querySelector("ul")!.replaceChildren(...failures.map((one) => line(one, session, speech)));
  const kept = box.querySelector<HTMLAnchorElement>("[data-acks]")!;
  kept.hidden = acks.length === 0;
  kept.href = textFile(`${acks.join("\n")}\n`, "text/plain");
}

function line(failure: Members, session: string, { words, language }: Speech): HTMLLIElement {
  const { event, cause, at, statement } = failure as { event: number; cause: string; at: string; statement: string };
  const paper = document.createElement("a");
  paper.href = `/seat/${session}/failure/${event}`;
  paper.textContent = `${words[`cause.${cause}`] ?? cause} · ${moment(Date.parse(at), "moment", language)}`;
  const file = document.createElement("a");
  file.href = textFile(statement, "application/jose");
  file.download = `failure-${session}-${event}.jws`;
  file.textContent = words["ui.save_signed"]!;
  const item = document.createElement("li");
  item.append(paper, " · ", file);
  return item;
}
