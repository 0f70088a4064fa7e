/**
 * The recording on the clock of the log: which file shows which moment.
 *
 * @remarks A recording may have several files, one for each life of the recorder, with gaps between them. All of them
 * are one film here: it is asked for a moment, and says at which it stands.
 */

/** A file: the moment of its second 0, and the milliseconds from which and until which it has a picture. */
export interface Part {
  readonly url: string;
  readonly utc: string;
  readonly from: number;
  readonly until: number;
}

/** What the page is told of the film; its seconds count from `zero`. */
export interface FilmData {
  readonly zero: string;
  readonly parts: readonly Part[];
}

/** Where a moment is in the film: the file, and the second in it. */
export interface Place {
  readonly part: number;
  readonly second: number;
}

/** The file that shows `at`, or the next picture there is after it; the end of the last where there is none. */
export function placeOf({ parts }: FilmData, at: number): Place {
  for (const [part, { utc, from, until }] of parts.entries()) {
    const ms = at - Date.parse(utc);
    if (ms < until) return { part, second: Math.max(ms, from) / 1000 };
  }
  return { part: parts.length - 1, second: (parts.at(-1)?.until ?? 0) / 1000 };
}

/** The moment that a second of a file shows. */
export function momentOf({ parts }: FilmData, { part, second }: Place): number {
  return Date.parse(parts[part]!.utc) + second * 1000;
}

/** `#t=83` or `#t=83.5`: seconds from zero; null where the address has none. */
export function secondIn(hash: string): number | null {
  const found = /^#t=(\d{1,7}(?:\.\d{1,3})?)$/.exec(hash);
  return found === null ? null : Number(found[1]);
}

/** The videos of a page as one film. */
export class Film {
  readonly #data: FilmData;
  readonly #videos: readonly HTMLVideoElement[];
  #part = 0;

  /** `moved` hears the moment that is shown whenever it changes: by playing, or by the viewer's hand. */
  constructor(data: FilmData, videos: readonly HTMLVideoElement[], moved: (at: number) => void) {
    this.#data = data;
    this.#videos = videos;
    videos.forEach((video, part) => {
      const tell = (): void => {
        if (part === this.#part) moved(momentOf(data, { part, second: video.currentTime }));
      };
      video.addEventListener("timeupdate", tell);
      video.addEventListener("seeked", tell);
      video.addEventListener("ended", () => {
        if (part + 1 < videos.length) this.#turn({ part: part + 1, second: data.parts[part + 1]!.from / 1000 }, true);
      });
    });
    this.#turn({ part: 0, second: (data.parts[0]?.from ?? 0) / 1000 }, false);
  }

  /** Show the picture of a moment, playing on if it was playing; return the moment that is shown. */
  seek(at: number): number {
    const place = placeOf(this.#data, at);
    this.#turn(place, !(this.#videos[this.#part]?.paused ?? true));
    return momentOf(this.#data, place);
  }

  #turn({ part, second }: Place, plays: boolean): void {
    this.#videos.forEach((video, i) => {
      video.hidden = i !== part;
      if (i !== part) video.pause();
    });
    this.#part = part;
    const video = this.#videos[part];
    if (video === undefined) return;
    if (Math.abs(video.currentTime - second) > 0.05) video.currentTime = second;
    if (plays) void video.play().catch(() => undefined); // a browser that wants a click first is given one by the viewer
  }
}
