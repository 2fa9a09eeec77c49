// When a frame is due: at the display's rate but at most one per STEP, and not while the device is behind.
import { STEP } from './world.ts';

const STEP_MS = 1000 * STEP;
/** How much too early a frame may come: displays are not quite regular. */
const TOLERANCE_MS = 4;
/** Submitted frames that the device has not finished. */
const MOST_PENDING = 3;
const RATE_EVERY_MS = 500;

export class Loop {
  readonly #device: GPUDevice;
  readonly #frame: () => void;
  readonly #onRate: (framesPerSecond: number | undefined) => void;
  #request: number | undefined;
  #due = 0;
  #pending = 0;
  #rated: { at: number; frames: number } | undefined;

  /** @param frame Submits one frame. @param onRate Receives frames per second now and then, undefined after `stop`. */
  constructor(device: GPUDevice, frame: () => void, onRate: (framesPerSecond: number | undefined) => void) {
    this.#device = device;
    this.#frame = frame;
    this.#onRate = onRate;
  }

  get running(): boolean {
    return this.#request !== undefined;
  }

  start(): void {
    this.#request ??= requestAnimationFrame((now) => this.#tick(now));
  }

  stop(): void {
    if (this.#request !== undefined) cancelAnimationFrame(this.#request);
    this.#request = undefined;
    this.#rated = undefined;
    this.#onRate(undefined);
  }

  #tick(now: number): void {
    this.#request = requestAnimationFrame((next) => this.#tick(next));
    if (now < this.#due - TOLERANCE_MS || this.#pending >= MOST_PENDING) return;
    this.#due = Math.max(this.#due + STEP_MS, now);
    this.#frame();
    this.#pending++;
    void this.#device.queue.onSubmittedWorkDone().then(() => this.#pending--);
    this.#rate(now);
  }

  #rate(now: number): void {
    this.#rated ??= { at: now, frames: -1 };
    this.#rated.frames++;
    const elapsed = now - this.#rated.at;
    if (elapsed < RATE_EVERY_MS) return;
    this.#onRate((1000 * this.#rated.frames) / elapsed);
    this.#rated = { at: now, frames: 0 };
  }
}
