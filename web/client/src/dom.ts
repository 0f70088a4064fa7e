/**
 * Fill the page from its data: the attributes that web/pages/binding.py wrote say what goes where.
 *
 * @remarks No markup is ever made from text. Repeated rows are clones of the `template` that the server rendered with
 * the very macro of the rows it sent.
 */

import type { Members, Value } from "./hall.js";
import { keysInOrder } from "./screen.js";

/** What a page is shown in: its language and the words for codes, `group.value`. */
export interface Speech {
  readonly language: "zh" | "en";
  readonly words: { readonly [key: string]: string };
}

/** What stands at `path` in `data`. */
export function at(data: Value | undefined, path: string): Value | undefined {
  let value: Value | undefined = data;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Members)[name];
  }
  return value;
}

/** Whether every word of `condition` holds in `data` (web/pages/binding.py). */
export function holds(condition: string, data: Value): boolean {
  return condition.split(/\s+/).every((one) => {
    const [path, values] = one.split("=") as [string, string | undefined];
    const not = path.startsWith("!");
    const value = at(data, not ? path.slice(1) : path);
    const held = values === undefined ? isSomething(value) : values.split(",").includes(plain(value));
    return held !== not;
  });
}

/** The text for `path`, shown as `as` says (web/pages/binding.py `Bound.shown`). */
export function shown(data: Value, path: string, as: string, speech: Speech): string {
  const value = at(data, path);
  if (value === undefined || value === null || value === "") return as === "word:bid" ? word("bid.none", "", speech) : "";
  if (as === "words") return plain((value as Members)[speech.language]);
  if (as === "size") return String(Object.keys(value as Members).length);
  if (as === "digest") return `${plain(value).slice(0, 8)}…${plain(value).slice(-6)}`;
  if (as.startsWith("word:")) return word(`${as.slice(5)}.${plain(value)}`, plain(value), speech);
  if (as === "text") return plain(value);
  return moment(Date.parse(plain(value)), as, speech.language);
}

/** Bring everything under `root` up to `data`, but for parts that are `data-apart`: those speak of other data. */
export function fill(root: ParentNode, data: Value, speech: Speech): void {
  const apart = root instanceof Element ? root.closest("[data-apart]") : null;
  for (const list of root.querySelectorAll<HTMLElement>("[data-rows]")) rows(list, data);
  for (const element of root.querySelectorAll<HTMLElement>("[data-text], [data-show], [data-mark], [data-current]")) {
    if (element.closest("[data-apart]") === apart) fillOne(element, data, speech);
  }
}

/** A clone of the template in `list` with `*` replaced by `key` in its attributes. */
export function cloneRow(list: Element, key: string): HTMLElement {
  const template = list.querySelector<HTMLTemplateElement>(":scope > template");
  const row = template!.content.firstElementChild!.cloneNode(true) as HTMLElement;
  for (const element of [row, ...row.querySelectorAll<HTMLElement>("*")]) {
    for (const name of ["data-key", "data-text", "data-show", "data-mark", "data-current", "data-path", "value"]) {
      const value = element.getAttribute(name);
      if (value?.includes("*")) element.setAttribute(name, value.replaceAll("*", key));
    }
  }
  return row;
}

function fillOne(element: HTMLElement, data: Value, speech: Speech): void {
  const { text, show, mark, current } = element.dataset;
  if (text !== undefined) {
    const wanted = shown(data, text, element.dataset["as"] ?? "text", speech);
    if (element.textContent !== wanted) element.textContent = wanted;
    if (element instanceof HTMLTimeElement) element.dateTime = plain(at(data, text));
  }
  if (show !== undefined) element.hidden = !holds(show, data);
  if (mark !== undefined) element.dataset["value"] = plain(at(data, mark));
  if (current !== undefined) {
    if (holds(current, data)) element.setAttribute("aria-current", "step");
    else element.removeAttribute("aria-current");
  }
}

function rows(list: HTMLElement, data: Value): void {
  const keys = keysInOrder(at(data, list.dataset["rows"]!) as Value);
  const present = new Map<string, HTMLElement>();
  for (const row of list.querySelectorAll<HTMLElement>(":scope > [data-key]")) present.set(row.dataset["key"]!, row);
  let place: Element | null = list.firstElementChild;
  for (const key of keys) {
    const row = present.get(key) ?? cloneRow(list, key);
    present.delete(key);
    if (row === place) place = place.nextElementSibling;
    else list.insertBefore(row, place);
  }
  for (const row of present.values()) row.remove();
}

function isSomething(value: Value | undefined): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

function plain(value: Value | undefined): string {
  return value === null || value === undefined ? "" : String(value);
}

function word(key: string, otherwise: string, speech: Speech): string {
  return Object.hasOwn(speech.words, key) ? speech.words[key]! : otherwise;
}

const WEEKDAYS = { zh: "日一二三四五六", en: ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] };
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const BEIJING = 8 * 3_600_000; // China has had one zone and no summer time since 1991

/** A moment in Beijing time. */
export function moment(milliseconds: number, as: string, language: "zh" | "en"): string {
  const local = new Date(milliseconds + BEIJING);
  const iso = local.toISOString();
  if (as === "clock") return iso.slice(11, 19);
  if (as === "fine") return iso.slice(11, 23);
  if (as === "moment") return `${iso.slice(0, 10)} ${iso.slice(11, 19)}`;
  const [year, month, day, weekday] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate(), local.getUTCDay()];
  return language === "zh"
    ? `${year}年${month + 1}月${day}日 星期${WEEKDAYS.zh[weekday]}`
    : `${WEEKDAYS.en[weekday]} ${day} ${MONTHS[month]} ${year}`;
}
