// What is shown of a training: its smoothed loss, and how fast it goes. Nothing here is an estimate but the smoothing.
import { GatewiseError } from '../src/index.ts';

const SMOOTHING = 0.98;
const SPEED_WINDOW_SECONDS = 10;

/** A running mean that forgets: each step weighs 0.98 of the next. Exact from the first step on, as Adam's means are. */
export class Smoothed {
  #sum = 0;
  #weight = 0;

  /** @returns the mean with this value. */
  add(value: number): number {
    this.#sum = SMOOTHING * this.#sum + (1 - SMOOTHING) * value;
    this.#weight = SMOOTHING * this.#weight + (1 - SMOOTHING);
    return this.value;
  }

  /** NaN before the first value. */
  get value(): number {
    return this.#sum / this.#weight;
  }

  /** For a checkpoint, to go on from exactly. */
  toString(): string {
    return JSON.stringify([this.#sum, this.#weight]);
  }

  static parse(text: string): Smoothed {
    const parsed: unknown = JSON.parse(text);
    if (!Array.isArray(parsed) || parsed.length !== 2 || !parsed.every(Number.isFinite))
      throw new GatewiseError('file', `checkpoint: expected a smoothed loss of two numbers, got ${text}`);
    const smoothed = new Smoothed();
    [smoothed.#sum, smoothed.#weight] = parsed as [number, number];
    return smoothed;
  }
}

/** Characters per second over the last seconds of training; time spent on anything else does not count. */
export class Speedometer {
  readonly #marks: { seconds: number; characters: number }[] = [];
  #seconds = 0;
  #characters = 0;
  #last: number | undefined;

  /** Seconds of training so far. */
  get seconds(): number {
    return this.#seconds;
  }

  /** Training goes on from now. */
  start(now: number): void {
    this.#last = now;
    this.#marks.push({ seconds: this.#seconds, characters: this.#characters });
  }

  /** A step has come back. @param now in milliseconds. */
  add(characters: number, now: number): void {
    this.#seconds += (now - (this.#last ?? now)) / 1000;
    this.#last = now;
    this.#characters += characters;
    this.#marks.push({ seconds: this.#seconds, characters: this.#characters });
    while (this.#marks.length > 2 && this.#marks[1].seconds < this.#seconds - SPEED_WINDOW_SECONDS)
      this.#marks.shift();
  }

  /** Undefined before the first step. */
  get charactersPerSecond(): number | undefined {
    const first = this.#marks[0];
    const seconds = this.#seconds - (first?.seconds ?? 0);
    return seconds > 0 ? (this.#characters - first.characters) / seconds : undefined;
  }
}
