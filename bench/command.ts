// Runs the benchmark, in Chrome or in Node: pass after pass, with progress; then tables and files.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

import { Presets, SingleBar } from 'cli-progress';

import type { Builds } from './against.ts';
import type { Listener } from './benchmark.ts';
import type { Options } from './options.ts';
import { mergePasses } from './passes.ts';
import { printResults } from './print.ts';
import { resultsName, type Adapter, type Results, type Settings } from './results.ts';
import { chosenWorkloads, defaultSet, settingsFor } from './selection.ts';
import { clock } from './speed_table.ts';
import type { Workload } from './workloads.ts';

/** What a pass measures. */
export interface Choice {
  readonly workloads: readonly Workload[];
  readonly settings: Settings;
  readonly peers: readonly string[];
}

/** A place that runs passes: Chrome or Node. */
export interface Session {
  readonly adapter: Adapter;
  /** Measures everything once, prepared anew. */
  pass(choice: Choice, listener: Listener): Promise<Results>;
  /** Prints what follows the tables. @returns The chart as SVG, if there is one. */
  finish(results: Results): Promise<string | void>;
  close?(): Promise<void>;
}

const AGAINST_PASSES = 10;
const RESULTS = join(import.meta.dirname, 'results');

/** Progress: a bar in a terminal, else a line for each thing that begins, with the time since the start. */
class Meter {
  readonly #bar = new SingleBar(
    { format: '{bar} {percentage}% | {duration_formatted} | {text}', noTTYOutput: false },
    Presets.rect,
  );
  /** Contestants take many turns; each is printed once a pass. */
  readonly #printed = new Set<string>();

  /** @param done of the whole run, 0 to 1 */
  show(text: string, done: number): void {
    if (!process.stderr.isTTY && !this.#printed.has(text))
      console.error(`${clock(performance.now())} ${text}`);
    if (this.#printed.size === 0) this.#bar.start(1, 0, { text });
    this.#printed.add(text);
    this.#bar.update(done, { text });
  }

  stop(): void {
    this.#bar.stop();
  }
}

function writeJSON(path: string, content: unknown): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(content, undefined, 1)}\n`);
}

/** @returns Whether all of gatewise's rows are right, and it is not slower than the commit that it is compared with. */
async function measure(
  options: Options,
  session: Session,
  builds: Builds | undefined,
  suffix: string,
): Promise<boolean> {
  const set = options.set ?? defaultSet(session.adapter);
  const workloads = chosenWorkloads(set, options.only);
  const preset = settingsFor(set, workloads);
  const passes = options.passes ?? (builds === undefined ? preset.passes : AGAINST_PASSES);
  const peers = builds === undefined ? options.peers : ['against', builds.commit];
  const { json, out = json === undefined ? RESULTS : '.' } = options;
  const pathOf = (results: Results, extension: string): string => {
    const name = json ?? `${resultsName(results, set, options.only)}${suffix}`;
    return relative('.', resolve(out, name.replace(/\.json$/, '') + extension));
  };
  const meter = new Meter();
  const measured: Results[] = [];
  let unfinished: string | undefined;
  try {
    while (measured.length < passes) {
      const pass = measured.length;
      // Each pass reverses the order of the one before.
      const settings = { ...preset, reversed: pass % 2 === 1, passes: 1 };
      const name = passes === 1 ? '' : `pass ${pass + 1} of ${passes}: `;
      const listener: Listener = (event) => {
        if (event.kind === 'progress') return meter.show(name + event.text, (pass + event.done) / passes);
        // The results so far survive the end of this process.
        const merged = mergePasses([...measured, event.results]);
        unfinished = pathOf(merged, '-unfinished.json');
        writeJSON(unfinished, merged);
      };
      measured.push(await session.pass({ workloads, settings, peers }, listener));
    }
  } finally {
    meter.stop();
    if (measured.length < passes && unfinished !== undefined)
      console.error(`what there is so far is in ${unfinished}`);
  }
  const compared = builds && (await import('./ratios.ts')).compareCommits(measured, builds.commit);
  const results: Results = { ...mergePasses(measured), ...(compared && { ratios: compared.ratios }) };
  console.log(`\n${compared?.text ?? printResults(results)}\n`);
  writeJSON(pathOf(results, '.json'), results);
  if (unfinished !== undefined) rmSync(unfinished);
  const svg = await session.finish(results);
  if (typeof svg === 'string') writeFileSync(pathOf(results, '.svg'), `${svg}\n`);
  console.error(`written: ${pathOf(results, '.json')}${typeof svg === 'string' ? ' and .svg' : ''}`);
  const broken = results.rows.filter(({ library, status }) => library === 'gatewise' && status !== 'ok');
  for (const { workload, contestant, status, note } of broken)
    console.error(`${workload}: ${contestant}: ${status}: ${note}`);
  return broken.length === 0 && compared?.slower !== true;
}

/** Does what the options ask for, and sets the exit code: 1 if gatewise is wrong, or slower than a commit. */
export async function bench(
  options: Options,
  open: (builds: Builds | undefined) => Promise<Session>,
  suffix = '',
): Promise<void> {
  const { against } = options;
  const builds = against === undefined ? undefined : (await import('./against.ts')).buildBoth(against);
  const session = await open(builds);
  try {
    if (!(await measure(options, session, builds, suffix))) process.exitCode = 1;
  } finally {
    await session.close?.();
  }
}

/** Runs a command to its end. */
export function main(command: () => Promise<void>): void {
  command().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
