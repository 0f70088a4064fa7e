/** How loud a microphone is: a meter that moves, and a word for those who do not see it. */

/** What a meter says of the last seconds. */
export type Heard = "silent" | "low" | "good" | "loud";

const FLOOR = 60; // decibels below full scale that count as nothing
const EVERY = 100; // milliseconds
const REMEMBERED = 30; // looks: three seconds

/** How loud these samples are, from 0 (60 dB below full scale, or less) to 1 (full scale). */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const level = 10 * Math.log10(sum / Math.max(1, samples.length));
  return Math.min(1, Math.max(0, 1 + level / FLOOR));
}

/** What to say of the newest levels, by the loudest of them: somebody who speaks is silent between two words. */
export function heard(levels: readonly number[]): Heard {
  const most = Math.max(0, ...levels);
  if (most < 0.12) return "silent"; // below -53 dB: the noise of a room
  if (most < 0.4) return "low";
  return most < 0.95 ? "good" : "loud";
}

/** Listen to `track` until closed; `tell` hears ten times a second how loud it is. */
export class Level {
  readonly #context = new AudioContext();
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(track: MediaStreamTrack, tell: (level: number, said: Heard) => void) {
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 2048;
    this.#context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const levels: number[] = [];
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const level = loudness(samples);
      levels.push(level);
      if (levels.length > REMEMBERED) levels.shift();
      tell(level, heard(levels));
    }, EVERY);
    void this.#context.resume();
  }

  close(): void {
    clearInterval(this.#timer);
    void this.#context.close();
  }
}
