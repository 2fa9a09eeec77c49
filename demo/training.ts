// The training of one model on one text, for the page and the terminal.
import { adam, crossEntropy, Trainer } from '../src/train/index.ts';
import * as tools from '../src/tools/index.ts';
import { type Net, type Runtime } from '../src/index.ts';
import { checkpointMetadata, checkText, type Checkpoint } from './checkpoint.ts';
import { Smoothed, Speedometer } from './meter.ts';
import { buildModel } from './model.ts';
import { Sampler } from './sample.ts';
import type { Settings } from './settings.ts';
import { Batches, type Corpus } from './text.ts';

const CLIP_NORM = 1;
// Steps in flight: two keep any device busy while the page handles the loss of the first. Short steps need more, up to
// AHEAD_SECONDS of work, which is also how long Pause may have to wait.
const MIN_AHEAD = 2;
const MAX_AHEAD = 32;
const AHEAD_SECONDS = 0.1;

export interface StepResult {
  /** Counted from 1. */
  readonly step: number;
  /** Nats per character on this step's batch, before its update. */
  readonly loss: number;
  readonly smoothed: number;
  /** Of training so far. */
  readonly seconds: number;
  readonly charactersPerSecond: number | undefined;
}

export class Training implements Disposable {
  readonly corpus: Corpus;
  readonly net: Net;
  readonly speedometer = new Speedometer();
  readonly sampler: Sampler;
  readonly #runtime: Runtime;
  readonly #trainer: Trainer;
  readonly #batches: Batches;
  #settings: Settings;
  #smoothed = new Smoothed();

  private constructor(runtime: Runtime, net: Net, corpus: Corpus, settings: Settings) {
    const { sequence, batch, seed, lr } = settings;
    this.#runtime = runtime;
    this.net = net;
    this.corpus = corpus;
    this.#settings = settings;
    this.#batches = new Batches(corpus.tokens, sequence, batch, seed);
    this.#trainer = new Trainer(net, { loss: crossEntropy, optimizer: adam({ lr }), clipNorm: CLIP_NORM });
    this.sampler = new Sampler(net, corpus.vocabulary);
  }

  /** @param checkpoint To continue from; its text must be `corpus` and its settings `settings`. */
  static async create(
    runtime: Runtime,
    corpus: Corpus,
    settings: Settings,
    checkpoint?: Checkpoint,
  ): Promise<Training> {
    if (checkpoint !== undefined) checkText(checkpoint, corpus);
    const model = buildModel(settings, corpus.vocabulary.size);
    const net = await runtime.load(model, { seed: settings.seed });
    try {
      const training = new Training(runtime, net, corpus, settings);
      if (checkpoint !== undefined) {
        training.#trainer.load(checkpoint.bytes);
        training.#smoothed = checkpoint.smoothed;
      }
      return training;
    } catch (error) {
      net.dispose();
      throw error;
    }
  }

  /** The settings of `create`, except the learning rate, which may have changed since. */
  get settings(): Settings {
    return this.#settings;
  }

  /** Steps taken, those in flight included. */
  get steps(): number {
    return this.#trainer.steps;
  }

  get smoothedLoss(): number {
    return this.#smoothed.value;
  }

  get charactersPerStep(): number {
    return this.settings.batch * this.settings.sequence;
  }

  /** Used from the next step that is queued. */
  set learningRate(lr: number) {
    this.#trainer.learningRate = lr;
    this.#settings = { ...this.#settings, lr };
  }

  #step(): Promise<number> {
    const { x, y } = this.#batches.at(this.#trainer.steps);
    const shape = [this.#batches.sequence, this.#batches.batch];
    // The queue runs this step before any later upload, so the next step can reuse the memory.
    using inputs = this.#runtime.tensor(x, { shape });
    using targets = this.#runtime.tensor(y, { shape });
    return this.#trainer.step(inputs, targets);
  }

  /**
   * Trains, and yields each loss in order. It queues steps ahead as long as `more` returns true, then waits for those in
   * flight, so that after the loop nothing runs any more.
   */
  async *run(more: () => boolean): AsyncGenerator<StepResult> {
    const onCPU = this.#runtime.backend.kind === 'cpu';
    const inFlight: { step: number; loss: Promise<number> }[] = [];
    let ahead = onCPU ? 1 : MIN_AHEAD;
    this.speedometer.start(performance.now());
    try {
      while (true) {
        while (inFlight.length < ahead && more()) {
          const loss = this.#step();
          // Awaited in its turn; until then a failure must not count as unhandled.
          loss.catch(() => undefined);
          inFlight.push({ step: this.#trainer.steps, loss });
        }
        const next = inFlight.shift();
        if (next === undefined) return;
        const loss = await next.loss;
        const before = this.speedometer.seconds;
        this.speedometer.add(this.charactersPerStep, performance.now());
        const { seconds, charactersPerSecond } = this.speedometer;
        if (!onCPU) {
          const perStep = seconds - before;
          const wanted = Math.ceil(AHEAD_SECONDS / Math.max(perStep, 1e-6));
          // One at a time: the first losses after a pause come in a burst, and say little.
          ahead = Math.min(MAX_AHEAD, Math.max(MIN_AHEAD, Math.min(wanted, ahead + 1)));
        }
        const smoothed = this.#smoothed.add(loss);
        yield { step: next.step, loss, smoothed, seconds, charactersPerSecond };
        // The CPU backend works within step(), so this lets other tasks of the event loop run.
        if (onCPU) await new Promise((resolve) => setTimeout(resolve));
      }
    } finally {
      await Promise.allSettled(inFlight.map(({ loss }) => loss));
    }
  }

  /** A checkpoint from which a training continues as if uninterrupted. Only between two `run`s. */
  save(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#trainer.save(checkpointMetadata(this.settings, this.corpus, this.#smoothed));
  }

  /** The plan of a training step, as text. */
  explain(): string {
    const { x, y } = this.#batches.at(0);
    const shape = [this.#batches.sequence, this.#batches.batch];
    using inputs = this.#runtime.tensor(x, { shape });
    using targets = this.#runtime.tensor(y, { shape });
    return tools.explain(this.#trainer, inputs, targets);
  }

  dispose(): void {
    this.sampler[Symbol.dispose]();
    this.net.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
