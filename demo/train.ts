// `npm run train`: trains a character model in the terminal, with checkpoints; goes on from the last one after Ctrl-C.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

import { MultiBar, Presets } from 'cli-progress';
import { Command, InvalidArgumentError, Option } from 'commander';

import { createRuntime, GatewiseError, type Runtime } from '../src/index.ts';
import { nodeGPU } from '../src/node/index.ts';
import { BOOK_NAME, BOOK_URL } from './book.ts';
import { checkpointName, readCheckpoint, settingsConflict, type Checkpoint } from './checkpoint.ts';
import {
  CELLS,
  DEFAULTS,
  NUMBERS,
  parseCell,
  parseNumber,
  type NumberSetting,
  type Settings,
} from './settings.ts';
import { readCorpus, type Corpus } from './text.ts';
import { Training } from './training.ts';

interface Options extends Settings {
  readonly file?: string;
  readonly steps: number;
  readonly every: number;
  readonly sample: number;
  readonly temperature: number;
  readonly checkpoint?: string;
  readonly fresh: boolean;
  readonly backend?: 'webgpu' | 'cpu';
}

/** An option's value, or commander's own kind of error. */
function argument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
    }
  };
}

function number(min: number, whole: boolean): (text: string) => number {
  return argument((text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value < Infinity) || (whole && !Number.isInteger(value)))
      throw new Error(`Expected a ${whole ? 'whole ' : ''}number of at least ${min}.`);
    return value;
  });
}

function commandLine(): Command {
  const command = new Command('npm run train --')
    .description(
      'Trains a character model on a text, and saves checkpoints. Ctrl-C stops it; the same command goes on.',
    )
    .option('--file <text>', `a text file to learn (default: the whole of ${BOOK_NAME})`)
    .addOption(
      new Option('--cell <name>', CELLS.join(', ')).default(DEFAULTS.cell).argParser(argument(parseCell)),
    );
  for (const [name, { label }] of Object.entries(NUMBERS)) {
    const key = name as NumberSetting;
    command.option(
      `--${name} <n>`,
      label.toLowerCase(),
      argument((text) => parseNumber(key, text)),
      DEFAULTS[key],
    );
  }
  return command
    .option('--steps <n>', 'stop when this many steps are done in all', number(1, true), 5000)
    .option('--every <n>', 'steps from one sample and checkpoint to the next', number(1, true), 100)
    .option('--sample <n>', 'characters in a sample; 0 for none', number(0, true), 200)
    .option('--temperature <t>', 'of the samples: below 1 safer, above 1 wilder', number(0, false), 0.8)
    .option('--checkpoint <file>', 'where to save (default: TEXT-CELL.checkpoint.safetensors)')
    .option('--fresh', 'start over, and overwrite the checkpoint', false)
    .addOption(
      new Option('--backend <name>', 'webgpu or cpu (default: WebGPU where there is an adapter)').choices([
        'webgpu',
        'cpu',
      ]),
    );
}

async function openRuntime(backend: Options['backend']): Promise<Runtime> {
  if (backend === 'cpu') return createRuntime({ backend });
  try {
    return await createRuntime({ backend: 'webgpu', gpu: await nodeGPU() });
  } catch (error) {
    if (backend === 'webgpu' || !(error instanceof GatewiseError) || error.code !== 'no-adapter') throw error;
    console.log(`No WebGPU, so this runs on the CPU, which is much slower: ${error.message}`);
    return createRuntime({ backend: 'cpu' });
  }
}

function readText(file: string | undefined): Corpus {
  if (file === undefined) return readCorpus(BOOK_NAME, readFileSync(BOOK_URL, 'utf8'));
  if (!existsSync(file)) throw new GatewiseError('file', `--file: there is no ${file}`);
  return readCorpus(basename(file), readFileSync(file, 'utf8'));
}

/** The checkpoint at `path`, if there is one and it is wanted. @param given the settings named on the command line. */
function lastCheckpoint(path: string, fresh: boolean, given: Partial<Settings>): Checkpoint | undefined {
  if (fresh || !existsSync(path)) return undefined;
  const checkpoint = readCheckpoint(new Uint8Array(readFileSync(path)));
  const conflict = settingsConflict(checkpoint, given);
  if (conflict !== undefined) {
    throw new GatewiseError(
      'argument',
      `${path} has ${conflict}: leave those options away to go on from it, name another --checkpoint, or start over with --fresh`,
    );
  }
  return checkpoint;
}

/** Written beside and renamed, so that a crash while writing leaves the last one whole. */
function writeCheckpoint(path: string, bytes: Uint8Array): void {
  writeFileSync(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
}

/** A progress bar in a terminal; elsewhere lines, one an interval. */
class Progress {
  readonly #bars: MultiBar | undefined;
  readonly #bar: ReturnType<MultiBar['create']> | undefined;
  readonly #total: number;
  readonly #every: number;

  constructor(total: number, done: number, every: number) {
    this.#total = total;
    this.#every = every;
    if (!process.stdout.isTTY) return;
    const format = '{bar} {value}/{total}  loss {loss}  {speed} chars/s  {left} left';
    const options = { format, stream: process.stdout, hideCursor: true, barsize: 24, autopadding: true };
    this.#bars = new MultiBar(options, Presets.shades_classic);
    this.#bar = this.#bars.create(total, done, { loss: '–', speed: '–', left: '–' });
  }

  update(step: number, loss: number, speed: number | undefined, charactersPerStep: number): void {
    const perSecond = speed === undefined ? '–' : Math.round(speed).toLocaleString('en');
    const left = speed === undefined ? '–' : duration(((this.#total - step) * charactersPerStep) / speed);
    if (this.#bar !== undefined) this.#bar.update(step, { loss: loss.toFixed(4), speed: perSecond, left });
    else if (step % this.#every === 0 || step === this.#total)
      console.log(`step ${step}/${this.#total}  loss ${loss.toFixed(4)}  ${perSecond} chars/s  ${left} left`);
  }

  /** Above the bar. */
  say(text: string): void {
    if (this.#bars === undefined) console.log(text);
    else this.#bars.log(`${text}\n`);
  }

  stop(): void {
    // What was said since the last turn of the bar is still to be written.
    this.#bars?.update();
    this.#bars?.stop();
  }
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

async function writeSample(training: Training, { sample, temperature }: Options): Promise<string> {
  let text = '';
  const options = { length: sample, temperature, seed: training.steps };
  for await (const character of training.sampler.write(options)) text += character;
  return text.trim();
}

async function main(): Promise<void> {
  const command = commandLine().parse();
  const options = command.opts<Options>();
  const names = ['cell', ...Object.keys(NUMBERS)] as (keyof Settings)[];
  const given = names.filter((name) => command.getOptionValueSource(name) === 'cli');
  const corpus = readText(options.file);
  const path = options.checkpoint ?? checkpointName(corpus, options.cell);
  const checkpoint = lastCheckpoint(
    path,
    options.fresh,
    Object.fromEntries(given.map((name) => [name, options[name]])),
  );
  // Every name of the table of settings is an option with a default, so all are there.
  const settings =
    checkpoint?.settings ??
    (Object.fromEntries(names.map((name) => [name, options[name]])) as unknown as Settings);

  using runtime = await openRuntime(options.backend);
  using training = await Training.create(runtime, corpus, settings, checkpoint);
  const { cell, hidden, layers, embedding, batch, sequence, lr, seed } = settings;
  const { vocabulary, tokens } = corpus;
  console.log(`Adapter     ${runtime.backend.description}`);
  console.log(
    `Text        ${corpus.name}: ${tokens.length.toLocaleString('en')} characters, ${vocabulary.size} different`,
  );
  console.log(
    `Model       ${cell.toUpperCase()}, ${layers} × ${hidden}, embedding ${embedding}: ${training.net.parameterCount.toLocaleString('en')} parameters`,
  );
  console.log(`Training    batch ${batch}, sequence ${sequence}, learning rate ${lr}, seed ${seed}`);
  console.log(
    checkpoint === undefined
      ? `Checkpoint  ${path} (${options.fresh && existsSync(path) ? 'overwritten: --fresh' : 'new'})`
      : `Checkpoint  ${path}, going on from step ${checkpoint.steps}`,
  );
  if (training.steps >= options.steps) {
    console.log(`All ${options.steps} steps are done; --steps ${2 * training.steps} trains on.`);
    return;
  }

  const stop = new AbortController();
  process.on('SIGINT', () => {
    // The second time it is meant at once.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
  const { signal } = stop;
  const progress = new Progress(options.steps, training.steps, options.every);
  try {
    while (training.steps < options.steps && !signal.aborted) {
      const until = Math.min(options.steps, (Math.floor(training.steps / options.every) + 1) * options.every);
      for await (const { step, smoothed } of training.run(() => training.steps < until && !signal.aborted))
        progress.update(step, smoothed, training.speedometer.charactersPerSecond, training.charactersPerStep);
      writeCheckpoint(path, await training.save());
      if (options.sample > 0 && !signal.aborted)
        progress.say(`\n· step ${training.steps}\n${await writeSample(training, options)}\n`);
    }
  } finally {
    progress.stop();
  }
  console.log(
    signal.aborted && training.steps < options.steps
      ? `Stopped at step ${training.steps}, saved in ${path}. The same command goes on from here; --fresh starts over.`
      : `Done at step ${training.steps}, loss ${training.smoothedLoss.toFixed(4)} nats per character, saved in ${path}.`,
  );
}

main().catch((error: unknown) => {
  console.error(error instanceof GatewiseError ? `gatewise: ${error.message}` : error);
  process.exitCode = 1;
});
