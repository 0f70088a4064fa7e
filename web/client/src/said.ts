/**
 * Everything that was said in an opening, at its moment: the facts, and each row when it was read out.
 *
 * @remarks Worked out from the facts alone, as the captions are (sessions/recording/captions.py); a test holds both
 * to the same words. Pure.
 */

import { type Fact, type Members, merge, type View } from "./hall.js";
import { rowsRead, rowWords } from "./screen.js";

/** One sentence. `n`: the fact it is of, or the newest when a row was read. */
export interface Saying {
  readonly n: number;
  readonly at: number;
  readonly words: { readonly zh: string; readonly en: string };
  readonly row: boolean;
}

/** By these the log speaks of itself: they stand in the list and are not said to the room. */
const QUIET: readonly unknown[] = ["RecordingNoted", "Anchored"];
const LONGEST = 8_000;
const TOGETHER = 1_000;

/** The sentences in order; `quiet` ones too where that is asked for, as for a search. */
export function sayings(facts: readonly Fact[], quiet = false): Saying[] {
  const told: Saying[] = [];
  let view = {} as View;
  let read = 0;
  facts.forEach((fact, i) => {
    view = merge(view, fact.patch) as View;
    const since = Date.parse(fact.at);
    if (quiet || !QUIET.includes(fact.type)) told.push({ n: fact.n, at: since, words: fact.words, row: false });
    const following = facts[i + 1];
    const until = following === undefined ? since : Date.parse(following.at);
    if (until <= since) return;
    const say = (place: number, at: number): void => {
      const words = rowWords(view, place) as Saying["words"] | null;
      if (words !== null) told.push({ n: fact.n, at, words, row: true });
      read = place;
    };
    const there = rowsRead(view, since);
    if (there > read) say(there, since);
    read = there;
    if (there === 0) return;
    const { from, pace_ms, rows } = view["reading"] as Members as unknown as { from: string; pace_ms: number; rows: readonly unknown[] };
    for (let place = there + 1; place <= rows.length + 1; place++) {
      const at = Date.parse(from) + (place - 1) * Math.max(1, pace_ms);
      if (at >= until) break;
      say(place, at);
    }
  });
  return told;
}

/** What stands under the picture at a moment: the newest sentence, with those of the second before it. */
export function wordsAt(said: readonly Saying[], at: number, language: "zh" | "en"): string {
  let [low, high] = [0, said.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (said[middle]!.at <= at) low = middle + 1;
    else high = middle;
  }
  const newest = said[low - 1];
  if (newest === undefined || at - newest.at > LONGEST) return "";
  const together = said.slice(Math.max(0, low - 3), low).filter((one) => newest.at - one.at < TOGETHER);
  return together.map(({ words }) => words[language]).join(" ");
}
