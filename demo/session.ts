// One training at a time on the page: starts and stops it, and takes samples between its steps. Knows nothing of the DOM.
import { createRuntime, GatewiseError, type Runtime } from '../src/index.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { SampleEntry } from './sample_list.ts';
import type { Settings } from './settings.ts';
import type { Corpus } from './text.ts';
import { Training, type StepResult } from './training.ts';

const SAMPLE_LENGTH = 180;
// A sample every few seconds of training, and rarer where it takes long: at most a sixth of the time goes into writing.
const SAMPLE_SECONDS = 6;
const SAMPLE_SHARE = 6;

export type State = 'starting' | 'running' | 'paused' | 'done' | 'failed';

/** What a session tells the page. */
export interface SessionView {
  onState(state: State): void;
  /** Another model, or the same one anew. */
  onBegin(training: Training, runtime: Runtime): void;
  onStep(result: StepResult): void;
  onSample(training: Training): SampleEntry;
  onError(error: unknown): void;
}

export interface SessionOptions {
  readonly backend: 'webgpu' | 'cpu' | undefined;
  /** Stops at this step. */
  readonly steps: number;
}

export class Session {
  temperature = 0.8;
  readonly #view: SessionView;
  readonly #options: SessionOptions;
  #runtime: Runtime | undefined;
  #training: Training | undefined;
  #state: State = 'starting';
  #stopping = false;
  /** The training that runs; never rejects. */
  #loop: Promise<void> = Promise.resolve();
  /** What the user asked for, one after the other; never rejects. */
  #tasks: Promise<void> = Promise.resolve();

  constructor(options: SessionOptions, view: SessionView) {
    this.#options = options;
    this.#view = view;
  }

  get state(): State {
    return this.#state;
  }

  get training(): Training | undefined {
    return this.#training;
  }

  /** The adapter; before the first `begin` it is asked for here, to know what to offer. */
  async runtime(): Promise<Runtime> {
    const { backend } = this.#options;
    this.#runtime ??= await createRuntime(backend === undefined ? {} : { backend });
    return this.#runtime;
  }

  /** Runs a task when those before it are done; its errors go to the page. */
  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#tasks = this.#tasks.then(task).catch((error: unknown) => this.#refuse(error));
    return this.#tasks;
  }

  /** A new model on a text, in place of the one there is. It runs, unless the user has paused. */
  begin(corpus: Corpus, settings: Settings, checkpoint?: Checkpoint): Promise<void> {
    return this.#enqueue(async () => {
      const paused = this.#state === 'paused';
      await this.#halt();
      const runtime = await this.runtime();
      // Made before the old one goes: a checkpoint that does not fit leaves everything as it was.
      const training = await Training.create(runtime, corpus, settings, checkpoint);
      this.#training?.dispose();
      this.#training = training;
      this.#view.onBegin(training, runtime);
      if (paused) this.#set('paused');
      else this.#go(training, checkpoint === undefined);
    });
  }

  start(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#state === 'paused' && this.#training !== undefined) this.#go(this.#training, false);
    });
  }

  pause(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#state !== 'running') return;
      await this.#halt();
      // It may have come to its end, or to an error, on the way.
      if (this.#state === 'running') this.#set('paused');
    });
  }

  /** Runs a task while the training stands still between two steps. */
  between(task: (training: Training) => Promise<void>): Promise<void> {
    return this.#enqueue(async () => {
      const training = this.#training;
      if (training === undefined) return;
      await this.#halt();
      try {
        await task(training);
      } finally {
        if (this.#state === 'running') this.#go(training, false);
      }
    });
  }

  #go(training: Training, sampleFirst: boolean): void {
    this.#stopping = false;
    this.#set('running');
    this.#loop = this.#run(training, sampleFirst).catch((error: unknown) => this.#fail(error));
  }

  async #halt(): Promise<void> {
    this.#stopping = true;
    await this.#loop;
  }

  async #run(training: Training, sampleFirst: boolean): Promise<void> {
    const { steps } = this.#options;
    const { speedometer } = training;
    let interval = SAMPLE_SECONDS;
    const sample = async (): Promise<void> => {
      interval = Math.max(SAMPLE_SECONDS, SAMPLE_SHARE * (await this.#sample(training)));
    };
    // The first sample shows where it begins: with nothing.
    if (sampleFirst) await sample();
    while (training.steps < steps && !this.#stopping) {
      const due = speedometer.seconds + interval;
      const more = (): boolean => !this.#stopping && training.steps < steps && speedometer.seconds < due;
      for await (const result of training.run(more)) this.#view.onStep(result);
      if (!this.#stopping) await sample();
    }
    if (training.steps >= steps) this.#set('done');
  }

  /** @returns the seconds it took from the first character on: before it, kernels may have to be compiled, once. */
  async #sample(training: Training): Promise<number> {
    const entry = this.#view.onSample(training);
    const options = { length: SAMPLE_LENGTH, temperature: this.temperature, seed: training.steps };
    let start: number | undefined;
    try {
      for await (const character of training.sampler.write(options)) {
        if (this.#stopping) break;
        start ??= performance.now();
        entry.add(character);
      }
    } finally {
      entry.done();
    }
    return start === undefined ? 0 : (performance.now() - start) / 1000;
  }

  /** What was asked for cannot be had: whatever ran before goes on as it was. */
  #refuse(error: unknown): void {
    if (this.#training === undefined || isLost(error)) return this.#fail(error);
    if (this.#state === 'running') this.#go(this.#training, false);
    this.#view.onError(error);
  }

  #fail(error: unknown): void {
    if (isLost(error)) {
      // Nothing of it can be used again; the next `begin` asks for a new device.
      this.#runtime?.dispose();
      this.#runtime = undefined;
      this.#training = undefined;
    }
    this.#set('failed');
    this.#view.onError(error);
  }

  #set(state: State): void {
    this.#state = state;
    this.#view.onState(state);
  }
}

function isLost(error: unknown): boolean {
  return error instanceof GatewiseError && error.code === 'device-lost';
}
