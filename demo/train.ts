// `npm run train`: trains a character model in the terminal, with checkpoints; after Ctrl-C it resumes from the last one.
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

import { MultiBar, Presets } from 'cli-progress';
import { Command, Option } from 'commander';

import { GatewiseError } from '../src/index.ts';
import { BOOK_NAME, BOOK_URL } from './book.ts';
import { checkpointName, readCheckpoint, settingsConflict, type Checkpoint } from './checkpoint.ts';
import { CheckpointFile } from './checkpoint_file.ts';
import { duration } from './format.ts';
import {
  CELLS,
  DEFAULTS,
  NUMBERS,
  parseCell,
  parseNumber,
  type NumberSetting,
  type Settings,
} from './settings.ts';
import {
  argument,
  backendOption,
  number,
  openRuntime,
  readBytes,
  run,
  type BackendName,
} from './terminal.ts';
import { readCorpus, type Corpus } from './text.ts';
import { Training, type StepResult } from './training.ts';

interface Options extends Settings {
  readonly file?: string;
  readonly steps: number;
  readonly every: number;
  readonly sample: number;
  readonly temperature: number;
  readonly checkpoint?: string;
  readonly fresh: boolean;
  readonly backend?: BackendName;
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
    .addOption(backendOption());
}

function readText(file: string | undefined): Corpus {
  const [name, path] = file === undefined ? [BOOK_NAME, fileURLToPath(BOOK_URL)] : [basename(file), file];
  return readCorpus(name, new TextDecoder().decode(readBytes('--file', path)));
}

/** The checkpoint at `path`, if there is one and it is wanted. @param given The settings named on the command line. */
function lastCheckpoint(path: string, fresh: boolean, given: Partial<Settings>): Checkpoint | undefined {
  if (fresh || !existsSync(path)) return undefined;
  const checkpoint = readCheckpoint(readBytes('--checkpoint', path));
  const conflict = settingsConflict(checkpoint, given);
  if (conflict !== undefined) {
    throw new GatewiseError(
      'argument',
      `${path} has ${conflict}: leave those options away to go on from it, name another --checkpoint, or start over with --fresh`,
    );
  }
  return checkpoint;
}

/** A progress bar in a terminal; elsewhere a line for each interval. */
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

  update({ step, smoothed, charactersPerSecond: speed }: StepResult, charactersPerStep: number): void {
    const loss = smoothed.toFixed(4);
    const perSecond = speed === undefined ? '–' : Math.round(speed).toLocaleString('en');
    const left = speed === undefined ? '–' : duration(((this.#total - step) * charactersPerStep) / speed);
    if (this.#bar !== undefined) this.#bar.update(step, { loss, speed: perSecond, left });
    else if (step % this.#every === 0 || step === this.#total)
      console.log(`step ${step}/${this.#total}  loss ${loss}  ${perSecond} chars/s  ${left} left`);
  }

  /** Prints text above the bar. */
  say(text: string): void {
    if (this.#bars === undefined) console.log(text);
    else this.#bars.log(`${text}\n`);
  }

  stop(): void {
    // The bar prints pending text at its next update, so this makes one.
    this.#bars?.update();
    this.#bars?.stop();
  }
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
  const file = new CheckpointFile(path);
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
    // A second Ctrl-C ends the process at once.
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  });
  const { signal } = stop;
  const progress = new Progress(options.steps, training.steps, options.every);
  try {
    while (training.steps < options.steps && !signal.aborted) {
      const until = Math.min(options.steps, (Math.floor(training.steps / options.every) + 1) * options.every);
      for await (const result of training.run(() => training.steps < until && !signal.aborted))
        progress.update(result, training.charactersPerStep);
      const trouble = file.write(await training.save());
      if (trouble !== undefined) progress.say(`step ${training.steps}: ${trouble}`);
      if (options.sample > 0 && !signal.aborted)
        progress.say(`\n· step ${training.steps}\n${await writeSample(training, options)}\n`);
    }
  } finally {
    progress.stop();
  }
  const { saved } = file;
  if (saved !== path) process.exitCode = 1;
  const where = saved === undefined ? 'not saved' : `saved in ${saved}`;
  const further = saved === path ? 'The same command goes on from here; --fresh starts over.' : '';
  console.log(
    signal.aborted && training.steps < options.steps
      ? `Stopped at step ${training.steps}, ${where}. ${further}`.trimEnd()
      : `Done at step ${training.steps}, loss ${training.smoothedLoss.toFixed(4)} nats per character, ${where}.`,
  );
}

run(main);
