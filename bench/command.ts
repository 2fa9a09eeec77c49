// The course of a run, in Chrome and in Node: pass after pass, with progress; then tables and files.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { Presets, SingleBar } from 'cli-progress';

import type { Builds } from './against.ts';
import type { Listener } from './benchmark.ts';
import { compare } from './compare.ts';
import type { Options } from './options.ts';
import { mergePasses } from './passes.ts';
import { printResults } from './print.ts';
import { readResults, resultsName, type Adapter, type Results, type Settings } from './results.ts';
import { chosenWorkloads, defaultSet, settingsFor } from './selection.ts';
import { clock } from './speed_table.ts';
import { OWN } from './columns.ts';
import type { Workload } from './workloads.ts';

/** What a pass is to measure. */
export interface Choice {
  readonly workloads: readonly Workload[];
  readonly settings: Settings;
  readonly peers: readonly string[];
}

/** Where passes are run. */
export interface Session {
  readonly adapter: Adapter;
  /** Measures everything once, prepared anew. */
  pass(choice: Choice, listener: Listener): Promise<Results>;
  /** The chart, as SVG. */
  picture?(results: Results): Promise<string>;
  close(): Promise<void>;
}

const AGAINST_PASSES = 10;

/** Progress: a bar in a terminal, else a line for each thing that begins, with the time since the start. */
class Meter {
  readonly #bar = process.stderr.isTTY
    ? new SingleBar({ format: '{bar} {percentage}% | {duration_formatted} | {text}' }, Presets.rect)
    : undefined;
  readonly #passes: number;
  #pass = 0;
  /** Contestants take many turns; each is printed once. */
  #printed = new Set<string>();

  constructor(passes: number) {
    this.#passes = passes;
    this.#bar?.start(1, 0, { text: '' });
  }

  begin(pass: number): void {
    this.#pass = pass;
    this.#printed = new Set();
    if (this.#passes > 1 && this.#bar === undefined) console.error(`pass ${pass + 1} of ${this.#passes}`);
  }

  /** @param part of the pass, 0 to 1 */
  show(what: string, part: number): void {
    const text = this.#passes > 1 ? `pass ${this.#pass + 1}: ${what}` : what;
    this.#bar?.update((this.#pass + part) / this.#passes, { text });
    if (this.#bar === undefined && !this.#printed.has(what))
      console.error(`${clock(performance.now())} ${what}`);
    this.#printed.add(what);
  }

  stop(): void {
    this.#bar?.stop();
  }
}

export function writeJSON(path: string, content: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(content, undefined, 1)}\n`);
}

async function measure(
  options: Options,
  session: Session,
  { suffix, builds }: { readonly suffix: string; readonly builds: Builds | undefined },
): Promise<boolean> {
  const set = options.set ?? defaultSet(session.adapter);
  const workloads = chosenWorkloads(set, options.only);
  const preset = settingsFor(set, workloads, options.seed);
  const passes = options.passes ?? (builds === undefined ? preset.passes : AGAINST_PASSES);
  const peers = builds === undefined ? options.peers : ['against', builds.commit];
  const pathOf = (results: Results): string =>
    options.json ?? join(options.out, `${resultsName(results)}${suffix}.json`);
  const meter = new Meter(passes);
  const measured: Results[] = [];
  let unfinished: string | undefined;
  try {
    for (let pass = 0; pass < passes; pass++) {
      meter.begin(pass);
      // Each pass in the other order than the one before.
      const settings = { ...preset, reversed: pass % 2 === 1, passes: 1 };
      const listener: Listener = {
        onProgress: (text, part) => meter.show(text, part),
        // What there is so far outlives whatever ends this process.
        onRows: (now) => {
          const so = mergePasses([...measured, now]);
          unfinished = pathOf(so).replace(/(\.json)?$/, '-unfinished.json');
          writeJSON(unfinished, so);
        },
      };
      measured.push(await session.pass({ workloads, settings, peers }, listener));
    }
  } catch (error) {
    if (unfinished !== undefined) console.error(`what there is so far is in ${relative('.', unfinished)}`);
    throw error;
  } finally {
    meter.stop();
  }
  return await finish(measured, session, { pathOf, unfinished, builds });
}

/** @returns whether gatewise is right in all of its rows, and not slower than the commit it is compared with */
async function finish(
  measured: readonly Results[],
  session: Session,
  about: {
    readonly pathOf: (results: Results) => string;
    readonly unfinished: string | undefined;
    readonly builds: Builds | undefined;
  },
): Promise<boolean> {
  const merged = mergePasses(measured);
  const { builds } = about;
  let results = merged;
  let slower = false;
  if (builds === undefined) console.log(`\n${printResults(results)}\n`);
  else {
    const { isSlower, printRatios, ratiosOf } = await import('./ratios.ts');
    const ratios = ratiosOf(measured, `gatewise ${builds.commit}`, OWN);
    results = { ...merged, ratios };
    slower = ratios.some(isSlower);
    console.log(`\n${printRatios(ratios, builds.commit)}\n`);
  }
  const path = about.pathOf(results);
  writeJSON(path, results);
  if (about.unfinished !== undefined) rmSync(about.unfinished);
  const svg = await session.picture?.(results);
  if (svg !== undefined) writeFileSync(path.replace(/(\.json)?$/, '.svg'), `${svg}\n`);
  console.error(`written: ${relative('.', path)}${svg === undefined ? '' : ' and .svg'}`);
  const broken = results.rows.filter(({ library, status }) => library === 'gatewise' && status !== 'ok');
  for (const { workload, contestant, status, note } of broken)
    console.error(`${workload}: ${contestant}: ${status}: ${note}`);
  return broken.length === 0 && !slower;
}

function readAs(file: string): Results {
  try {
    return readResults(readFileSync(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`--compare: ${file}: ${reason}`, { cause: error });
  }
}

/** Does what the options ask for, and sets the exit code: 1 where gatewise is wrong, or slower than a commit. */
export async function bench(
  { compare: files, ...options }: Options,
  open: (builds: Builds | undefined) => Promise<Session>,
  suffix = '',
): Promise<void> {
  if (files !== undefined) {
    if (files.length !== 2) throw new Error(`--compare: expected two results files, got ${files.length}`);
    const [before, after] = files.map(readAs);
    return console.log(compare(before, after));
  }
  const { against } = options;
  const builds = against === undefined ? undefined : (await import('./against.ts')).buildBoth(against);
  const session = await open(builds);
  try {
    if (!(await measure(options, session, { suffix, builds }))) process.exitCode = 1;
  } finally {
    await session.close();
  }
}

/** Runs a command to its end. */
export function main(command: () => Promise<void>): void {
  command().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
