// `npm run bench`: runs the page in headless Chrome, shows how far it is, prints the tables, keeps JSON and picture.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

import { Presets, SingleBar } from 'cli-progress';
import { Command, Option } from 'commander';
import { chromium } from 'playwright-core';

import { browserArguments, ensureBrowser } from '../test/setup/browser.mjs';
import { argument, eachArgument } from './argument.ts';
import { compare, printComparison } from './compare.ts';
import { contestantKeys, type ContestantKey } from './contestants/keys.ts';
import { describeMachine } from './machine.ts';
import type { BenchEvent } from './page/events.ts';
import { isReversed } from './passes.ts';
import { printResults } from './print.ts';
import { presets, readResults, resultsName, type Results, type Row } from './results.ts';
import {
  allWorkloads,
  parseContestant,
  parsePasses,
  parseSeed,
  parseSet,
  parseWorkload,
  setNames,
  workloadsOf,
  writeSelection,
  type Selection,
  type SetName,
} from './selection.ts';
import { serve } from './serve.ts';
import { clock } from './speed_table.ts';
import { Stop, Stopped } from './stop.ts';
import { describeWorkload } from './workloads.ts';

interface Options extends Selection {
  readonly quick: boolean;
  readonly full: boolean;
  readonly set?: SetName;
  readonly passes?: number;
  readonly open: boolean;
  readonly out: string;
  readonly compare?: readonly string[];
  readonly list: boolean;
}

const OPEN_PORT = 5174;
// To collect garbage before each sample, and to see what a run leaves.
const MEMORY_FLAGS = ['--js-flags=--expose-gc', '--enable-precise-memory-info'];

function readOptions(): Options {
  const contestants = Object.keys(contestantKeys).join(', ');
  return new Command('npm run bench --')
    .description('Measures gatewise beside TF.js, ONNX Runtime Web and jax-js, in headless Chrome.')
    .addOption(new Option('--quick', 'the quick set: minutes on a software adapter').default(false))
    .addOption(new Option('--full', 'the full set').default(false))
    .addOption(
      new Option(
        '--set <name>',
        `workloads: ${setNames.join(', ')} (default: full; quick on a software adapter)`,
      )
        .argParser(argument(parseSet))
        .conflicts(['quick', 'full']),
    )
    .addOption(
      new Option('--only <name...>', 'these workloads, of any set')
        .argParser(eachArgument(parseWorkload))
        .default([], 'all of the set'),
    )
    .addOption(
      new Option('--peers <key...>', `these contestants: ${contestants}`)
        .argParser(eachArgument(parseContestant))
        .default([], 'all'),
    )
    .option(
      '--reversed',
      'contestants take turns from the last to the first; in a second pass the other way round',
      false,
    )
    .addOption(
      new Option('--passes <n>', 'pages in which everything is measured (default: 3; quick 2, trial 1)')
        .argParser(argument(parsePasses))
        // A person's page is one.
        .conflicts(['open']),
    )
    .option('--seed <n>', 'of weights and inputs', argument(parseSeed), presets.full.seed)
    .option('--open', 'only serve the page, for a browser of yours', false)
    .option('--out <folder>', 'where results go', join(import.meta.dirname, 'results'))
    .option('--compare <files...>', 'only say how two results files differ: the earlier one, the later one')
    .option('--list', 'say which workloads and contestants there are', false)
    .parse()
    .opts<Options>();
}

function selectionOf({ quick, full, set, only, peers, reversed, seed }: Options): Selection {
  const named = set ?? (quick ? 'quick' : full ? 'full' : undefined);
  return { ...(named === undefined ? {} : { set: named }), only, peers, reversed, seed };
}

function list(): string {
  const workloads = allWorkloads.map((workload) => {
    const sets = setNames.filter((set) => workloadsOf(set).includes(workload)).join(', ');
    return `  ${workload.name.padEnd(22)}${sets.padEnd(20)}${describeWorkload(workload)}`;
  });
  const contestants = (Object.keys(contestantKeys) as ContestantKey[]).map(
    (key) => `  ${key.padEnd(22)}${contestantKeys[key]}`,
  );
  return ['workloads, and their sets', ...workloads, 'contestants', ...contestants].join('\n');
}

/** How far it is: a bar in a terminal, else a line for each thing that begins, with the time since the start. */
class Meter {
  readonly #bar = process.stdout.isTTY
    ? new SingleBar({ format: '{bar} {percentage}% | {duration_formatted} | {text}' }, Presets.rect)
    : undefined;
  /** Contestants take many turns; each is told of once. */
  readonly #told = new Set<string>();
  #pass = 0;
  #passes = 1;

  begin(pass: number, passes: number): void {
    this.#pass = pass;
    this.#passes = passes;
    if (passes > 1 && this.#bar === undefined) console.log(`pass ${pass + 1} of ${passes}`);
    if (this.#bar === undefined) this.#told.clear();
  }

  /** @param part of the pass, 0 to 1 */
  progress(what: string, part: number): void {
    const done = (this.#pass + part) / this.#passes;
    const text = this.#passes > 1 && this.#bar !== undefined ? `pass ${this.#pass + 1}: ${what}` : what;
    if (this.#bar === undefined) {
      if (!this.#told.has(text)) console.log(`${clock(performance.now())} ${text}`);
      this.#told.add(text);
      return;
    }
    if (this.#told.size === 0) this.#bar.start(1, 0, { text });
    this.#told.add(text);
    this.#bar.update(done, { text });
  }

  stop(): void {
    this.#bar?.stop();
  }
}

type Done = Extract<BenchEvent, { kind: 'done' }>;

type Started = Extract<BenchEvent, { kind: 'start' }>;

interface Listener {
  onStart(event: Started): void;
  onProgress(text: string, done: number): void;
  onRows(results: Results): void;
}

/**
 * Runs a page to its end, in a browser of its own, and tells what there is on the way.
 * @param stop rejects where it is to come to its end early.
 * @throws Error where it fails, crashes or goes away.
 */
async function drive(
  url: string,
  before: readonly Results[],
  stop: Promise<never>,
  listener: Listener,
): Promise<Done> {
  const browser = await chromium.launch({
    executablePath: ensureBrowser(),
    args: [...browserArguments(), ...MEMORY_FLAGS],
    // Playwright would end the process, and all that was measured with it.
    handleSIGINT: false,
    handleSIGTERM: false,
  });
  try {
    const page = await browser.newPage();
    page.on('pageerror', (error) => console.error(`page: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') console.error(`page: ${message.text()}`);
    });
    await page.addInitScript(`window.gatewiseMachine = ${JSON.stringify(describeMachine())};`);
    await page.addInitScript(`window.gatewisePasses = ${JSON.stringify(before)};`);
    const ended = new Promise<Done>((resolve, reject) => {
      page.on('crash', () => reject(new Error('bench: the page has crashed')));
      page.on('close', () => reject(new Error('bench: the page was closed')));
      browser.on('disconnected', () => reject(new Error('bench: the browser is gone')));
      const onEvent = (event: BenchEvent): void => {
        if (event.kind === 'done') resolve(event);
        else if (event.kind === 'failed') reject(new Error(`bench: ${event.message}`));
        else if (event.kind === 'rows') listener.onRows(event.results);
        else if (event.kind === 'progress') listener.onProgress(event.text, event.done);
        else listener.onStart(event);
      };
      page
        .exposeFunction('gatewiseBench', onEvent)
        .then(() => page.goto(url, { timeout: 120_000 }))
        .catch(reject);
    });
    return await Promise.race([ended, stop]);
  } finally {
    await browser.close();
  }
}

const isBroken = ({ library, status }: Row): boolean =>
  library === 'gatewise' && ['wrong', 'fell back', 'failed'].includes(status);

/** Pass after pass, as many as asked for, or as the page says that its workloads want. */
async function drivePasses(
  urlOf: (reversed: boolean) => string,
  { reversed, passes: asked }: Options,
  onRows: (results: Results) => void,
): Promise<Done> {
  const meter = new Meter();
  using stop = new Stop();
  const before: Results[] = [];
  let passes = asked ?? 1;
  try {
    for (;;) {
      const pass = before.length;
      const done = await drive(urlOf(isReversed(reversed, pass)), before, stop.signalled, {
        onStart: (event) => {
          passes = asked ?? event.passes;
          if (pass === 0)
            console.log(`${event.adapter}: ${event.workloads.join(', ')}\n${event.contestants.join(', ')}`);
          meter.begin(pass, passes);
        },
        onProgress: (text, part) => meter.progress(text, part),
        onRows,
      });
      before.push(done.pass);
      onRows(done.results);
      if (before.length >= passes) return done;
    }
  } finally {
    meter.stop();
  }
}

/** @returns whether all of gatewise's own rows are right. */
async function measure(urlOf: (reversed: boolean) => string, options: Options): Promise<boolean> {
  const out = resolve(options.out);
  mkdirSync(out, { recursive: true });
  const write = (results: Results, more: string, content: string): string => {
    const path = join(out, `${resultsName(results)}${more}`);
    writeFileSync(path, `${content}\n`);
    return relative('.', path);
  };
  let latest: Results | undefined;
  const { results, svg } = await drivePasses(urlOf, options, (now) => (latest = now)).catch(
    (error: unknown) => {
      if (latest !== undefined) {
        const { passes } = latest.settings;
        const file = write(latest, '-unfinished.json', JSON.stringify(latest, undefined, 1));
        console.error(`what there is of ${passes === 1 ? 'one pass' : `${passes} passes`}, kept in ${file}`);
      }
      throw error;
    },
  );
  console.log(`\n${printResults(results)}\n`);
  const json = write(results, '.json', JSON.stringify(results, undefined, 1));
  write(results, '.svg', svg);
  console.log(`kept in ${json} and .svg`);
  const broken = results.rows.filter(isBroken);
  for (const { workload, contestant, status } of broken)
    console.error(`${workload}: ${contestant} ${status === 'wrong' ? 'is wrong' : status}`);
  return broken.length === 0;
}

function readAs(file: string): Results {
  try {
    return readResults(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`--compare: ${file}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

function comparison(files: readonly string[]): string {
  if (files.length !== 2) throw new Error(`--compare: expected two results files, got ${files.length}`);
  const [before, after] = files.map((file) => readAs(file));
  return printComparison(compare(before, after));
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.list) return console.log(list());
  if (options.compare !== undefined) return console.log(comparison(options.compare));
  const queryOf = (reversed: boolean): URLSearchParams =>
    writeSelection(selectionOf({ ...options, reversed }));
  const { server, url } = await serve(options.open ? OPEN_PORT : 0);
  if (options.open)
    return console.log(`gatewise benchmark: ${url}?${queryOf(options.reversed)}\nCtrl-C ends it`);
  const urlOf = (reversed: boolean): string => `${url}?${queryOf(reversed)}&autostart`;
  try {
    if (!(await measure(urlOf, options))) process.exitCode = 1;
  } finally {
    await server.close();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(error instanceof Stopped ? error.exitCode : 1);
});
