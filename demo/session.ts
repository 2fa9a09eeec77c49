// A session runs one training at a time: it reads the text, starts and stops the training, and takes samples between its steps.
// The page runs it in a worker (`session_worker.ts`), so arguments and events are plain data.
import { createRuntime, GatewiseError, type CompileProgress, type Runtime } from '../src/index.ts';
import { BOOK_NAME, BOOK_URL } from './book.ts';
import { checkpointName, readCheckpoint, type Checkpoint } from './checkpoint.ts';
import { failureOf, type Failure } from './failure.ts';
import type { Settings } from './settings.ts';
import { baselinesOf, readCorpus, type Baselines, type Corpus } from './text.ts';
import { Training, type StepResult } from './training.ts';

const SAMPLE_LENGTH = 180;
// Seconds of training between samples. Slow samples are rarer, so that writing takes at most about a sixth of the time.
const SAMPLE_SECONDS = 6;
const SAMPLE_SHARE = 6;

export type State = 'starting' | 'running' | 'paused' | 'done' | 'failed';

/** What is trained now. */
export interface Begun {
  readonly settings: Settings;
  /** More than 0 if it continues from a checkpoint. */
  readonly steps: number;
  /** The smoothed loss behind those steps; NaN without any. */
  readonly smoothed: number;
  readonly text: { readonly name: string; readonly characters: number; readonly baselines: Baselines };
  readonly parameters: number;
  readonly plan: string;
  readonly adapter: {
    readonly kind: string;
    readonly description: string;
    readonly fallbackReason: string | undefined;
  };
}

/** The page, as a session sees it: the events that it receives. */
export interface SessionView {
  /** The session has a text and a device: `begin` may be called. */
  onReady(backend: string): void;
  onState(state: State): void;
  /** A new training has begun, of another model or of the same one anew. */
  onBegin(begun: Begun): void;
  onStep(result: StepResult): void;
  /** A sample begins, of the characters that come until `onSampleEnd`. */
  onSample(): void;
  onCharacter(character: string): void;
  onSampleEnd(): void;
  /** How much of a text is read, from 0 to 1. */
  onReading(name: string, share: number): void;
  /** Of the pipelines that the device compiles now, how many are compiled. */
  onCompile(progress: CompileProgress): void;
  onSaved(name: string, bytes: Uint8Array<ArrayBuffer>): void;
  onError(failure: Failure): void;
}

export interface SessionOptions {
  readonly backend: 'webgpu' | 'cpu' | undefined;
  /** The session stops at this step, until `start` is called again. */
  readonly steps: number;
}

export class Session {
  readonly #view: SessionView;
  #options: SessionOptions = { backend: undefined, steps: Infinity };
  #temperature = 0.8;
  #runtime: Runtime | undefined;
  #corpus: Corpus | undefined;
  #training: Training | undefined;
  #state: State = 'starting';
  #stopping = false;
  /** The step to stop at. */
  #lastStep = Infinity;
  /** Settles when the training has stopped; never rejects. */
  #loop: Promise<void> = Promise.resolve();
  /** Settles when all tasks that the user asked for are done; never rejects. */
  #tasks: Promise<void> = Promise.resolve();

  constructor(view: SessionView) {
    this.#view = view;
  }

  /** Looks for a device, and reads the book. */
  open(options: SessionOptions): Promise<void> {
    return this.#enqueue(async () => {
      this.#options = options;
      // One after the other: of two at once the second would go on where the first has failed.
      const { backend } = await this.#openRuntime();
      this.#corpus = await this.#readBook();
      this.#view.onReady(backend.kind);
    });
  }

  /** Trains a new model on the current text. */
  begin(settings: Settings): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#corpus !== undefined) await this.#begin(this.#corpus, settings);
    });
  }

  /** Trains a new model on another text. */
  learn(file: File, settings: Settings): Promise<void> {
    return this.#enqueue(async () => {
      await this.#begin(this.#readText(file.name, await file.text()), settings);
    });
  }

  /** Continues from a checkpoint. */
  load(file: File): Promise<void> {
    return this.#enqueue(async () => {
      const checkpoint = readCheckpoint(new Uint8Array(await file.arrayBuffer()));
      // The book can be read again; of other texts only the open one is here.
      const isBook = checkpoint.text.name === BOOK_NAME && this.#corpus?.name !== BOOK_NAME;
      const corpus = isBook ? await this.#readBook() : this.#corpus;
      if (corpus !== undefined) await this.#begin(corpus, checkpoint.settings, checkpoint);
    });
  }

  /** Continues; after the step to stop at, without end. */
  start(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#state === 'done') this.#lastStep = Infinity;
      else if (this.#state !== 'paused') return;
      if (this.#training !== undefined) this.#go(this.#training, false);
    });
  }

  pause(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#state !== 'running') return;
      await this.#halt();
      // Meanwhile the training may have ended or failed.
      if (this.#state === 'running') this.#set('paused');
    });
  }

  /** Saves between two steps. */
  save(): Promise<void> {
    return this.#enqueue(async () => {
      const training = this.#training;
      if (training === undefined) return;
      await this.#halt();
      const name = checkpointName(training.corpus, training.settings.cell);
      this.#view.onSaved(name, await training.save());
      if (this.#state === 'running') this.#go(training, false);
    });
  }

  setTemperature(temperature: number): void {
    this.#temperature = temperature;
  }

  /** Of the model that was asked for last. */
  setLearningRate(lr: number): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#training !== undefined) this.#training.learningRate = lr;
    });
  }

  async #openRuntime(): Promise<Runtime> {
    const { backend } = this.#options;
    this.#runtime ??= await createRuntime({
      ...(backend === undefined ? {} : { backend }),
      onCompile: (progress) => this.#view.onCompile(progress),
    });
    return this.#runtime;
  }

  async #readBook(): Promise<Corpus> {
    const response = await fetch(BOOK_URL);
    if (!response.ok)
      throw new Error(
        `The book could not be fetched: ${response.status} ${response.statusText} from ${BOOK_URL}`,
      );
    return this.#readText(BOOK_NAME, await response.text());
  }

  #readText(name: string, content: string): Corpus {
    return readCorpus(name, content, (share) => this.#view.onReading(name, share));
  }

  /** Runs a task when those before it are done; its errors go to the page. */
  #enqueue(task: () => Promise<void>): Promise<void> {
    this.#tasks = this.#tasks.then(task).catch((error: unknown) => this.#refuse(error));
    return this.#tasks;
  }

  /** Replaces the training by one of a new model on a text. It runs, unless the user has paused. */
  async #begin(corpus: Corpus, settings: Settings, checkpoint?: Checkpoint): Promise<void> {
    const paused = this.#state === 'paused';
    await this.#halt();
    const runtime = await this.#openRuntime();
    // Made before the old one is disposed of: if it is refused, everything stays as it was, unless the device itself fails.
    const training = await Training.create(runtime, corpus, settings, checkpoint);
    this.#training?.dispose();
    this.#training = training;
    this.#corpus = corpus;
    this.#lastStep = this.#options.steps;
    const { kind, description } = runtime.backend;
    this.#view.onBegin({
      settings,
      steps: training.steps,
      smoothed: training.smoothedLoss,
      text: { name: corpus.name, characters: corpus.tokens.length, baselines: baselinesOf(corpus) },
      parameters: training.net.parameterCount,
      plan: training.explain(),
      adapter: { kind, description, fallbackReason: runtime.fallbackReason },
    });
    if (paused) this.#set('paused');
    else this.#go(training, checkpoint === undefined);
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
    const { speedometer } = training;
    let interval = SAMPLE_SECONDS;
    const sample = async (): Promise<void> => {
      interval = Math.max(SAMPLE_SECONDS, SAMPLE_SHARE * (await this.#sample(training)));
    };
    // The first sample shows an untrained model.
    if (sampleFirst) await sample();
    while (training.steps < this.#lastStep && !this.#stopping) {
      const due = speedometer.seconds + interval;
      const more = (): boolean =>
        !this.#stopping && training.steps < this.#lastStep && speedometer.seconds < due;
      for await (const result of training.run(more)) this.#view.onStep(result);
      if (!this.#stopping) await sample();
    }
    if (training.steps >= this.#lastStep) this.#set('done');
  }

  /** @returns The seconds from the first character on: before that, kernels may be compiled, which happens once. */
  async #sample(training: Training): Promise<number> {
    this.#view.onSample();
    const options = { length: SAMPLE_LENGTH, temperature: this.#temperature, seed: training.steps };
    let start: number | undefined;
    try {
      for await (const character of training.sampler.write(options)) {
        if (this.#stopping) break;
        start ??= performance.now();
        this.#view.onCharacter(character);
      }
    } finally {
      this.#view.onSampleEnd();
    }
    return start === undefined ? 0 : (performance.now() - start) / 1000;
  }

  /** Reports that a task has failed: the training that ran before continues if the device still works. */
  #refuse(error: unknown): void {
    if (this.#training === undefined || isLost(error)) return this.#fail(error);
    // If the task had halted the training, it starts again; else it still runs.
    if (this.#state === 'running' && this.#stopping) this.#go(this.#training, false);
    this.#view.onError(failureOf(error));
  }

  #fail(error: unknown): void {
    if (isLost(error)) {
      // Nothing on a lost device can be used again; the next `begin` asks for a new one.
      this.#runtime?.dispose();
      this.#runtime = undefined;
      this.#training = undefined;
    }
    this.#set('failed');
    this.#view.onError(failureOf(error));
  }

  #set(state: State): void {
    this.#state = state;
    this.#view.onState(state);
  }
}

/** Whether the device is of no use any more: a runtime whose device has failed once, such as for want of memory, stays so. */
function isLost(error: unknown): boolean {
  return error instanceof GatewiseError && (error.code === 'device-lost' || error.code === 'device');
}
