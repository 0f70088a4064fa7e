/** The page where somebody with a part goes on air: devices, line, notice, then a camera, a microphone or a screen. */

import { ask } from "./api.js";
import { moment } from "./dom.js";
import { explain, tell } from "./forms.js";
import type { Members } from "./hall.js";
import { type Device, devices, open, Unavailable } from "./media/devices.js";
import { card, type Drawn } from "./media/drawn.js";
import { Level } from "./media/level.js";
import { type Line, overall, tryLines, underway } from "./media/line.js";
import { Sender, type State } from "./media/sender.js";
import { type Grant, send, type Tracks } from "./media/whip.js";
import { Page, pageData, type PageData } from "./page.js";

interface AirData extends PageData {
  readonly video: "h264" | "vp8";
  readonly notice: number;
}

const data = pageData() as AirData;
const { language, words } = data;
const page = new Page(data);
const session = (page.view["session"] as Members)["id"] as string;
const TOKENS = `${data.source}/media/tokens`;
const AGREED = `kaibiao-notice-${session}`;
const CAMERA = 800; // kilobits a second
const SCREEN = 1500;
const OFTEN = 3_000; // milliseconds between two looks at the line while on air

/** What is chosen, and how it goes out. */
class Studio {
  readonly #section: HTMLElement;
  readonly #sender: Sender;
  #camera: MediaStreamTrack | null = null;
  #microphone: MediaStreamTrack | null = null;
  #screen: MediaStreamTrack | null = null;
  #card: Drawn | null = null; // while the camera is off
  #level: Level | null = null;
  #trial: AbortController | null = null; // of the line, while it lasts
  #tried = false;
  #state: State = "off";
  #since = NaN;

  constructor(section: HTMLElement) {
    this.#section = section;
    this.#sender = new Sender(
      {
        grant: () => grant({ act: "publish", consent: data.notice }),
        send: (given, tracks) => send(given, tracks, { codec: data.video, kbit: this.#screen === null ? CAMERA : SCREEN }),
        rest: (milliseconds) => new Promise((done) => setTimeout(done, milliseconds)),
      },
      (state, error) => this.#told(state, error),
    );
    for (const kind of ["camera", "microphone"] as const) {
      this.#select(kind).addEventListener("change", () => void this.#choose(kind));
      this.#button(`${kind}-off`).addEventListener("click", () => void this.#turn(kind));
    }
    this.#section.querySelector('[data-air="screen"]')?.addEventListener("click", () => void this.#share());
    this.#button("try").addEventListener("click", () => void this.#tryLine());
    this.#button("stop").addEventListener("click", () => {
      void this.#sender.stop();
      this.#button("go").focus();
    });
    const form = this.#part<HTMLFormElement>("form");
    const consent = form.elements.namedItem("consent") as HTMLInputElement;
    consent.checked = agreed();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#go(form, consent);
    });
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#list());
    addEventListener("beforeunload", (event) => {
      if (this.#on) event.preventDefault();
    });
    addEventListener("pagehide", () => void this.#sender.stop());
    setInterval(() => void this.#lookAtLine(), OFTEN);
    void this.#list();
  }

  get #on(): boolean {
    return ["connecting", "live", "again"].includes(this.#state);
  }

  #go(form: HTMLFormElement, consent: HTMLInputElement): void {
    if (this.#on) return;
    const { video, audio } = this.#tracks();
    if (video === null && audio === null) {
      tell(form, "failed", words["air.nothing"]!);
      this.#select("camera").focus();
    } else if (!consent.checked) {
      tell(form, "failed", words["air.notice"]!);
      consent.focus();
    } else {
      remember();
      this.#trial?.abort(); // the line is needed now
      form.querySelector("[data-outcome]")!.replaceChildren();
      void this.#sender.go();
      this.#button("stop").focus(); // the button that was pressed is gone
    }
  }

  /** The list of devices, as far as the browser names them; what is chosen stays chosen. */
  async #list(): Promise<void> {
    const found = await devices();
    for (const kind of ["camera", "microphone"] as const) {
      const select = this.#select(kind);
      const chosen = select.value;
      const options = found[kind].map((one, place) => this.#option(kind, one, place));
      select.replaceChildren(select.options[0]!, ...options);
      const track = kind === "camera" ? this.#camera : this.#microphone;
      const id = track?.getSettings().deviceId ?? "";
      select.value = options.some(({ value }) => value === id) ? id : chosen;
      if (select.selectedIndex < 0) select.value = "";
      if (options.length === 0) select.append(this.#missing(kind));
    }
  }

  #option(kind: "camera" | "microphone", { id, name }: Device, place: number): HTMLOptionElement {
    const option = document.createElement("option");
    option.value = id === "" ? "default" : id;
    option.textContent = name === "" ? `${words[`${kind}.name`]} ${place + 1}${words["air.unasked"]}` : name;
    return option;
  }

  #missing(kind: "camera" | "microphone"): HTMLOptionElement {
    const option = document.createElement("option");
    option.disabled = true;
    option.textContent = words[`${kind}.${navigator.mediaDevices === undefined ? "unsupported" : "none"}`]!;
    return option;
  }

  async #choose(kind: "camera" | "microphone"): Promise<void> {
    const id = this.#select(kind).value;
    this.#close(kind);
    this.#trouble(null);
    this.#pressed(`${kind}-off`, false);
    if (id !== "" && (await this.#open(kind)) && !this.#tried) void this.#tryLine();
    this.#apply();
    await this.#list();
  }

  /** Open what is chosen. False: it cannot be had, which is said, or something else was chosen meanwhile. */
  async #open(kind: "camera" | "microphone"): Promise<boolean> {
    const id = this.#select(kind).value;
    try {
      const track = await open(kind, id === "default" ? "" : id);
      if (this.#select(kind).value !== id) {
        track.stop();
        return false;
      }
      if (kind === "camera") this.#camera = track;
      else this.#microphone = track;
      track.addEventListener("ended", () => {
        this.#close(kind);
        this.#select(kind).value = "";
        this.#trouble(kind, "gone");
        this.#apply();
      });
      return true;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      if (this.#select(kind).value !== id) return false;
      this.#select(kind).value = "";
      this.#trouble(kind, error.trouble);
      return false;
    }
  }

  #close(kind: "camera" | "microphone"): void {
    if (kind === "camera") {
      this.#camera?.stop();
      this.#camera = null;
    } else {
      this.#microphone?.stop();
      this.#microphone = null;
    }
  }

  /** Off: the camera is let go, and a card goes out in its place; the microphone stays open and gives silence. */
  async #turn(kind: "camera" | "microphone"): Promise<void> {
    const off = this.#button(`${kind}-off`).getAttribute("aria-pressed") !== "true";
    if (kind === "microphone") {
      if (this.#microphone !== null) this.#microphone.enabled = !off;
    } else if (off) {
      this.#close("camera");
    } else if (!(await this.#open("camera"))) {
      return;
    }
    this.#pressed(`${kind}-off`, off);
    this.#apply();
  }

  async #share(): Promise<void> {
    this.#trouble(null);
    if (this.#screen !== null) {
      this.#screen.stop();
      this.#screen = null;
    } else {
      try {
        const track = await open("screen");
        track.addEventListener("ended", () => {
          if (this.#screen !== track) return;
          this.#screen = null;
          this.#apply();
        });
        this.#screen = track;
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error;
        this.#trouble("screen", error.trouble);
      }
    }
    this.#apply();
  }

  #tracks(): Tracks {
    const video = this.#screen ?? this.#camera ?? this.#card?.track ?? null;
    return { video, audio: this.#microphone };
  }

  /** Bring preview, meter, buttons and what is sent up to what is chosen. */
  #apply(): void {
    const picture = this.#screen ?? this.#camera;
    if (picture !== null || !this.#on) {
      this.#card?.close();
      this.#card = null;
    } else if (this.#card === null && this.#preview.srcObject !== null) {
      this.#card = card(words["air.camera_off"]!); // a picture was there: it must not stand still for ever
    }
    const { video, audio } = this.#tracks();
    const shown = this.#preview.srcObject as MediaStream | null;
    if (video === null) this.#preview.srcObject = null;
    else if (shown?.getVideoTracks()[0] !== video) {
      this.#preview.srcObject = new MediaStream([video]);
      void this.#preview.play().catch(() => undefined);
    }
    this.#preview.hidden = video === null;
    this.#part("blank").hidden = video !== null;
    this.#part("blank").textContent = words[audio === null ? "air.empty" : "air.sound_only"]!;
    this.#listen(audio);
    this.#button("camera-off").hidden = this.#camera === null && this.#button("camera-off").ariaPressed !== "true";
    this.#button("microphone-off").hidden = audio === null;
    this.#section.querySelector('[data-air="screen"]')?.setAttribute("aria-pressed", String(this.#screen !== null));
    this.#sender.change({ video, audio });
  }

  #listening: MediaStreamTrack | null = null;

  #listen(track: MediaStreamTrack | null): void {
    if (track === this.#listening) return;
    this.#level?.close();
    this.#level = null;
    this.#listening = track;
    const meter = this.#section.querySelector("meter")!;
    const line = this.#part("heard");
    [meter.value, line.textContent] = [0, ""];
    if (track === null) return;
    this.#level = new Level(track, (level, said) => {
      meter.value = level;
      const text = words[track.enabled ? `sound.${said}` : "sound.off"]!;
      if (line.textContent !== text) line.textContent = text;
    });
  }

  #told(state: State, error: unknown): void {
    if (state === "live" && this.#state !== "live") this.#since = page.clock.ready ? page.clock.now() : Date.now();
    this.#state = state;
    this.#section.dataset["state"] = state;
    const since = (): string => words["air.since"]!.replace("{time}", moment(this.#since, "clock", language));
    this.#part("told").textContent = words[`air.${state}`]! + (state === "live" ? ` · ${since()}` : "");
    const form = this.#part<HTMLFormElement>("form");
    form.classList.toggle("sending", this.#on);
    this.#part("controls").hidden = !this.#on;
    if (state === "refused") tell(form, "failed", ...explain(error, data));
    else if (state === "live") form.querySelector("[data-outcome]")!.replaceChildren();
    if (!this.#on) {
      this.#pressed("camera-off", false);
      this.#pressed("microphone-off", false);
      if (this.#microphone !== null) this.#microphone.enabled = true;
      if (this.#card !== null) this.#select("camera").value = "";
      this.#apply();
    }
  }

  async #tryLine(): Promise<void> {
    if (this.#trial !== null || this.#on) return;
    const trial = (this.#trial = new AbortController());
    this.#tried = true;
    this.#button("try").disabled = true;
    this.#say("trying");
    try {
      const lines = await tryLines(() => grant({ act: "check" }), data.video, trial.signal);
      const { udp, tcp, relay } = lines;
      const ways : [string, Line | null][] = relay === null ? [["UDP", udp], ["TCP", tcp]] : [["TURN", relay]];
      const way = (name: string, line: Line | null): string =>
        words[line === null ? "line.blocked" : "line.through"]!.replace("{way}", name);
      if (trial.signal.aborted) this.#say("untried");
      else this.#say(overall(lines), ways.map(([name, line]) => way(name, line)).join(" · "), udp ?? tcp ?? relay);
    } catch (error) {
      this.#say("untold", explain(error, data).join(" "));
    } finally {
      this.#trial = null;
      this.#button("try").disabled = false;
    }
  }

  async #lookAtLine(): Promise<void> {
    const sending = this.#sender.sending;
    this.#button("try").hidden = this.#on;
    if (this.#state !== "live" || sending === null) return;
    const line = await sending.line();
    if (line.way !== null) this.#say(underway(line), line.way.toUpperCase(), line);
  }

  #say(value: string, more = "", line: Line | null = null): void {
    const said = this.#part("quality");
    said.dataset["value"] = value;
    if (said.textContent !== words[`line.${value}`]) said.textContent = words[`line.${value}`]!;
    const figures = words["line.figures"]!
      .replace("{rtt}", String(Math.round(line?.rtt ?? 0)))
      .replace("{kbit}", String(Math.round(line?.kbit ?? 0)))
      .replace("{lost}", ((line?.lost ?? 0) * 100).toFixed(1));
    this.#part("line").textContent = [more, line === null ? "" : figures].filter(Boolean).join(" · ");
  }

  #trouble(kind: string | null, what = ""): void {
    const box = this.#part("trouble");
    const said = kind === null ? [] : [words[`${kind}.${what}`]!, words["air.regardless"]!];
    box.dataset["value"] = "failed";
    box.replaceChildren(
      ...said.map((sentence) => {
        const line = document.createElement("p");
        line.textContent = sentence;
        return line;
      }),
    );
  }

  #pressed(name: string, pressed: boolean): void {
    this.#button(name).setAttribute("aria-pressed", String(pressed));
  }

  get #preview(): HTMLVideoElement {
    return this.#part<HTMLVideoElement>("preview");
  }

  #select(kind: "camera" | "microphone"): HTMLSelectElement {
    return this.#section.querySelector<HTMLSelectElement>(`#air-${kind}`)!;
  }

  #button(name: string): HTMLButtonElement {
    return this.#part<HTMLButtonElement>(name);
  }

  #part<E extends HTMLElement = HTMLElement>(name: string): E {
    return this.#section.querySelector<E>(`[data-air="${name}"]`)!;
  }
}

async function grant(act: Members): Promise<Grant> {
  return (await ask("POST", TOKENS, act)) as unknown as Grant;
}

function agreed(): boolean {
  try {
    return sessionStorage.getItem(AGREED) === String(data.notice);
  } catch {
    return false; // no storage: every visit asks anew
  }
}

function remember(): void {
  try {
    sessionStorage.setItem(AGREED, String(data.notice));
  } catch {
    // as above
  }
}

page.start();
const section = document.getElementById("air");
if (section !== null) new Studio(section);
