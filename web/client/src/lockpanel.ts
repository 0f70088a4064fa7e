/**
 * The officer's box on a desk: open one's own key, try it, and later remove one's lock.
 *
 * @remarks The key is opened in the page and cannot be copied out of it. A rehearsal uses a value made here. Shares leave
 * only when the public record says that the barrier has passed, and go nowhere but to the hall.
 */

import { ask, command } from "./api.js";
import { base64url, hex } from "./bytes.js";
import type { Json, JsonObject } from "./canonical.js";
import { moment, type Speech } from "./dom.js";
import { form as shaped, reading, Refused, require } from "./errors.js";
import { asBase64url, asCount, asHex, asIdentifier, asList, asText } from "./fields.js";
import { running, tell } from "./forms.js";
import type { Members, Value, View } from "./hall.js";
import type { GroupId, HolderRole } from "./header.js";
import { type KeyPair, rehearse } from "./identity.js";
import { forget, keepPair, recallPair } from "./keystore.js";
import { openSealed, type SealedShare } from "./officer.js";
import { openPkcs12 } from "./pkcs12.js";
import { fingerprint } from "./x509.js";

const AT_ONCE = 16;

interface Mine {
  readonly id: string;
  readonly lock: Members;
  readonly officer: Members;
}

/** One share to open, and where its value belongs. */
interface Task {
  readonly bidder: string;
  readonly group: GroupId;
  readonly share: SealedShare;
}

export class LockPanel {
  readonly #box: HTMLElement;
  readonly #source: string;
  readonly #account: string;
  readonly #speech: Speech;
  readonly #view: () => View;
  #key: KeyPair | null = null;
  #busy = false;
  #triedIn: Value = null;

  /** The panel of `account`, if the page has one; it listens from then on. */
  static on(source: string, account: string, speech: Speech, view: () => View): LockPanel | null {
    const box = document.querySelector<HTMLElement>("[data-lock-panel]");
    return box === null ? null : new LockPanel(box, source, account, speech, view);
  }

  private constructor(box: HTMLElement, source: string, account: string, speech: Speech, view: () => View) {
    [this.#box, this.#source, this.#account, this.#speech, this.#view] = [box, source, account, speech, view];
    this.#on('[data-lock="open"]', (form) => this.#open(form));
    this.#on('[data-lock="remove"]', (form) => this.#remove(form));
    box.querySelector("[data-lock-again]")!.addEventListener("click", () => void this.#tried(true));
    box.querySelector("[data-lock-forget]")!.addEventListener("click", () => void this.#forget());
    void this.#recall();
  }

  /** Show what there is to do now. */
  draw(): void {
    const mine = this.#mine();
    if (mine === null) return;
    const holding = mine.lock["state"] === "holding" && mine.officer["state"] !== "removed";
    const again = mine.officer["state"] === "removed" && Number(mine.officer["failed"]) > 0 && this.#view()["phase"] === "opened";
    this.#part("ready").hidden = this.#key === null;
    this.#part("open").hidden = this.#key !== null;
    this.#part("remove").hidden = !(holding || (again && mine.lock["state"] === "holding"));
    this.#part("remove").querySelector("button")!.disabled = this.#key === null;
    this.#part("remove").querySelector<HTMLElement>("[data-lock-key-first]")!.hidden = this.#key !== null;
    // What was tried on the days before does not count once check-in has begun.
    if (this.#key !== null && mine.officer["state"] === "absent" && this.#triedIn !== this.#view()["status"]) void this.#tried(false);
  }

  async #open(form: HTMLFormElement): Promise<string> {
    const [file] = form.querySelector<HTMLInputElement>('input[name="files"]')!.files!;
    const password = form.querySelector<HTMLInputElement>('input[name="password"]')!.value;
    const pairs = await openPkcs12(new Uint8Array(await file!.arrayBuffer()), password);
    const key = await this.#announced(pairs);
    if (form.querySelector<HTMLInputElement>('input[name="keep"]')!.checked) {
      await keepPair(this.#name(), key).catch(() => undefined); // a private window keeps nothing
    }
    form.reset();
    await this.#use(key);
    return this.#speech.words["ui.lock_ready"]!;
  }

  /** The pair whose certificate the announcement names for this officer; any other opens nothing here. */
  async #announced(pairs: readonly KeyPair[]): Promise<KeyPair> {
    const wanted = this.#mine()?.officer["certificate"];
    for (const pair of pairs) {
      if (pair.purpose === "encrypt" && hex(fingerprint(pair.certificate)) === wanted) return pair;
    }
    throw new Refused("not_an_officer", "this is not the certificate that the announcement names");
  }

  async #use(key: KeyPair): Promise<void> {
    this.#key = key;
    this.#triedIn = this.#view()["status"] ?? null;
    this.#box.querySelector("[data-lock-tail]")!.textContent = key.certificate.serial.slice(-6).toUpperCase();
    this.#box.querySelector("[data-lock-until]")!.textContent = moment(key.certificate.notAfter.getTime(), "day", this.#speech.language);
    this.draw();
    await this.#tried(false);
  }

  /** Try the key here, and tell the hall whether it worked, if that is news. */
  async #tried(asked: boolean): Promise<void> {
    const [key, mine] = [this.#key, this.#mine()];
    if (key === null || mine === null) return;
    this.#triedIn = this.#view()["status"] ?? null;
    const line = this.#part("ready");
    let passed = true;
    try {
      await rehearse(key);
    } catch {
      passed = false;
    }
    const known = mine.officer["state"] === (passed ? "ready" : "failed") || mine.officer["state"] === "removed";
    if (!known || (asked && !passed)) await command(this.#source, "ReadyOfficer", { lock: mine.id, passed }).catch(() => undefined);
    tell(line, passed ? "done" : "failed", this.#speech.words[passed ? "ui.lock_ready" : "officer.failed"]!);
  }

  async #remove(form: HTMLFormElement): Promise<string> {
    const [key, mine, view] = [this.#key, this.#mine(), this.#view()];
    if (key === null || mine === null || this.#busy) return "";
    const passed = view["phase"] === "opened" && mine.lock["state"] === "holding";
    require(passed, "not_behind_barrier", "the public record does not say that the barrier has passed");
    this.#busy = true;
    try {
      const asked = await ask("GET", `${this.#source}/shares`);
      require(asked["lock"] === mine.id, "other_locks", "the shares are of another lock");
      const session = (view["session"] as Members)["id"] as string;
      const tasks = asList(asked["shares"] as Json).map((one) => readTask(one, session));
      const shares = await this.#openAll(form, tasks, key);
      const answer = await ask("POST", `${this.#source}/shares`, { shares } as unknown as Value);
      const failed = Object.keys((answer["failed"] ?? {}) as Members).length;
      return failed === 0 ? this.#speech.words["ui.lock_removed"]! : this.#speech.words["ui.lock_part"]!.replace("%s", String(failed));
    } finally {
      this.#busy = false;
      this.#progress(form, 0, 0);
    }
  }

  async #openAll(form: HTMLFormElement, tasks: readonly Task[], key: KeyPair): Promise<Members[]> {
    const opened: Members[] = [];
    for (let begin = 0; begin < tasks.length; begin += AT_ONCE) {
      const batch = tasks.slice(begin, begin + AT_ONCE).map(async ({ bidder, group, share }): Promise<Members> => {
        try {
          return { bidder, group, share: base64url(await openSealed(share, key)) };
        } catch (error) {
          if (!(error instanceof Refused)) throw error;
          return { bidder, group, share: null }; // whose doing it is, nobody can tell here; the hall records it
        }
      });
      opened.push(...(await Promise.all(batch)));
      this.#progress(form, opened.length, tasks.length);
    }
    return opened;
  }

  #progress(form: HTMLFormElement, done: number, total: number): void {
    const line = form.querySelector<HTMLElement>("[data-progress]")!;
    line.hidden = total === 0;
    line.querySelector("progress")!.value = total === 0 ? 0 : done / total;
    line.querySelector("[data-progress-text]")!.textContent = `${this.#speech.words["ui.opening_shares"]!} ${done} / ${total}`;
  }

  async #recall(): Promise<void> {
    try {
      const kept = await recallPair(this.#name());
      if (kept !== null) await this.#use(await this.#announced([kept]));
    } catch {
      // Nothing kept, or of an earlier opening: the officer opens the file.
    }
    this.draw();
  }

  async #forget(): Promise<void> {
    this.#key = null;
    await forget(this.#name()).catch(() => undefined);
    this.draw();
  }

  #mine(): Mine | null {
    for (const [id, lock] of Object.entries((this.#view()["locks"] ?? {}) as Record<string, Members>)) {
      const officers = Object.values((lock["officers"] ?? {}) as Record<string, Members>);
      const officer = officers.find((one) => one["account"] === this.#account);
      if (officer !== undefined) return { id, lock, officer };
    }
    return null;
  }

  #name(): string {
    return `officer:${this.#account}`;
  }

  #part(name: string): HTMLElement {
    return this.#box.querySelector<HTMLElement>(`[data-lock="${name}"]`)!;
  }

  #on(selector: string, act: (form: HTMLFormElement) => Promise<string>): void {
    const form = this.#box.querySelector<HTMLFormElement>(selector)!;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void running(form, this.#speech, () => act(form)).then(() => this.draw());
    });
  }
}

/** One share as the hall sends it (hall/PROTOCOL.md, Locks); refused unless it is of `session`. */
function readTask(value: Json, session: string): Task {
  return reading("malformed_shares", "share", () => {
    shaped(typeof value === "object" && value !== null && !Array.isArray(value), "an object is expected");
    const said = value as JsonObject;
    const [bidder, group] = [asIdentifier(said["bidder"]), asText(said["group"], /^[AB]$/) as GroupId];
    require(said["session"] === session, "wrong_session", "the share is of another opening");
    const place = {
      index: asCount(said["i"]),
      threshold: asCount(said["t"]),
      count: asCount(said["n"]),
      kcs: asHex(said["kcs"], 32),
      context: asHex(said["context"], 32),
    };
    if (said["slot"] !== undefined) {
      const role = asText(said["lock"], /^(?:tenderer|escrow)$/) as HolderRole;
      return { bidder, group, share: { ...place, lock: role, slot: asBase64url(said["slot"]) } };
    }
    const where = { session, group, headerSha256: asHex(said["header_sha256"], 32), nonce: asHex(said["nonce"], 32) };
    return { bidder, group, share: { ...place, lock: asText(said["lock"]), where, hpke: asBase64url(said["hpke"]) } };
  });
}
