// The figures of a training: smoothed loss and speed. All but the smoothing is measured.
import { GatewiseError } from '../src/index.ts';

const LONGEST_MEMORY = 50;
const SPEED_WINDOW_SECONDS = 10;

/** A moving mean: at first over about the last quarter of the steps, later over the last 50. */
export class Smoothed {
  #value = NaN;
  #count = 0;

  /** @returns the mean with this value. */
  add(value: number): number {
    this.#count++;
    const share = Math.max(1 / LONGEST_MEMORY, 4 / (this.#count + 3));
    this.#value = this.#count === 1 ? value : this.#value + share * (value - this.#value);
    return this.#value;
  }

  /** NaN before the first value. */
  get value(): number {
    return this.#value;
  }

  /** For a checkpoint: `parse` restores the mean exactly. */
  toString(): string {
    return JSON.stringify([this.#count === 0 ? 0 : this.#value, this.#count]);
  }

  static parse(text: string): Smoothed {
    const parsed: unknown = JSON.parse(text);
    if (!Array.isArray(parsed) || parsed.length !== 2 || !parsed.every(Number.isFinite))
      throw new GatewiseError('file', `checkpoint: expected a smoothed loss of two numbers, got ${text}`);
    const smoothed = new Smoothed();
    [smoothed.#value, smoothed.#count] = parsed as [number, number];
    if (smoothed.#count === 0) smoothed.#value = NaN;
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

  /** Training starts or continues now. */
  start(now: number): void {
    this.#last = now;
    this.#marks.push({ seconds: this.#seconds, characters: this.#characters });
  }

  /** Counts a step whose loss has arrived. @param now In milliseconds. */
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
