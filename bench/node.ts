// `npm run bench:node`, and all of what `npm run bench:pack` packs: gatewise's workloads under Dawn, without a browser.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { Command, Option } from 'commander';
import webgpuPackage from 'webgpu/package.json' with { type: 'json' };

import { describeAdapter, isSoftware } from '../src/backend/webgpu/device_info.ts';
import {
  createRuntime,
  GatewiseError,
  printProfile,
  type Calibration,
  type RuntimeOptions,
} from '../src/index.ts';
import { nodeGPU } from '../src/node/index.ts';
import { argument, eachArgument } from './argument.ts';
import type { Contestant } from './contestants/contestant.ts';
import { gatewiseCPU, gatewiseJob, gatewiseWebGPU } from './contestants/gatewise.ts';
import { ApiCounter } from './counters.ts';
import { makeTask } from './data.ts';
import { describeMachine } from './machine.ts';
import type { Environment, Progress } from './measure.ts';
import { isReversed, mergePasses } from './passes.ts';
import { printResults } from './print.ts';
import { presets, resultsName, type Adapter, type Results, type Row, type Settings } from './results.ts';
import { runBenchmark } from './run_benchmark.ts';
import {
  allWorkloads,
  defaultSet,
  oneOf,
  parsePasses,
  parseSeed,
  parseSet,
  parseWorkload,
  setNames,
  settingsFor,
  workloadsOf,
  type SetName,
} from './selection.ts';
import { milliseconds } from './speed_table.ts';
import { describeWorkload, type Workload } from './workloads.ts';

const backends = ['webgpu', 'cpu'] as const;

interface Options {
  readonly set?: SetName;
  readonly only: readonly string[];
  readonly seed: number;
  readonly reversed: boolean;
  readonly passes?: number;
  readonly backends: readonly (typeof backends)[number][];
  readonly json?: string;
  readonly workloads?: string;
  readonly profile: boolean;
}

// Chrome rounds timestamps, against pages that spy on each other; here is none.
const DAWN_FLAGS = ['disable-dawn-features=timestamp_quantization'];

function readOptions(): Options {
  return new Command('bench')
    .description('Measures gatewise under Node, on the Vulkan, Metal or D3D12 adapter that Dawn finds.')
    .addOption(
      new Option(
        '--set <name>',
        `workloads: ${setNames.join(', ')} (default: full; quick where it is software)`,
      ).argParser(argument(parseSet)),
    )
    .addOption(
      new Option('--only <name...>', 'these workloads, of any set')
        .argParser(eachArgument(parseWorkload))
        .default([], 'all of the set'),
    )
    .option('--seed <n>', 'of weights and inputs', argument(parseSeed), presets.full.seed)
    .option(
      '--reversed',
      'contestants take turns from the last to the first; in a second pass the other way round',
      false,
    )
    .option(
      '--passes <n>',
      'how often everything is measured (default: 3; quick 2, trial 1)',
      argument(parsePasses),
    )
    .addOption(
      new Option('--backends <names>', `one or more of ${backends.join(',')}`)
        .argParser(argument((text) => text.split(',').map((name) => oneOf('backend', backends, name))))
        .default(['webgpu'], 'webgpu'),
    )
    .option(
      '--json <file>',
      'where results go; - for nowhere (default: results/DATE-ADAPTER-node.json beside this)',
    )
    .option('--workloads <file>', 'only write sizes and settings, for torch_peer.py; - for the terminal')
    .option('--profile', "print each workload's steps too", false)
    .parse()
    .opts<Options>();
}

/** What to measure and for how long. */
function plan(
  set: SetName,
  { only, seed, reversed, passes }: Options,
): { readonly settings: Settings; readonly workloads: readonly Workload[] } {
  const workloads =
    only.length === 0 ? workloadsOf(set) : allWorkloads.filter(({ name }) => only.includes(name));
  const settings = settingsFor(set, workloads, { seed, reversed });
  return { settings: passes === undefined ? settings : { ...settings, passes }, workloads };
}

function write(path: string, content: unknown): void {
  const text = `${JSON.stringify(content, undefined, 2)}\n`;
  if (path === '-') process.stdout.write(text);
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Needs no `--expose-gc` on the command line. */
function heapOfNode(): Required<Environment>['heap'] {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return { collect, used: () => getHeapStatistics().used_heap_size };
}

/** Where devices come from. */
type Source = Required<Pick<RuntimeOptions, 'gpu' | 'powerPreference'>>;

async function adapterOf({ gpu, powerPreference }: Source): Promise<Adapter> {
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (adapter === null) throw new GatewiseError('no-adapter', 'bench: the adapter that was there is gone');
  const { info } = adapter;
  const described = { adapterInfo: info };
  return {
    description: describeAdapter(described),
    software: isSoftware(described),
    vendor: info.vendor,
    architecture: info.architecture,
  };
}

const say = (text: string): void => console.error(text);

function tellProgress(): (progress: Progress) => void {
  // Contestants take many turns; each is told of once.
  const told = new Set<string>();
  return ({ workload, contestant, doing }) => {
    const line = `${workload}: ${doing} ${contestant}`;
    if (!told.has(line)) say(line);
    told.add(line);
  };
}

function tellRow({ workload, contestant, status, note, timing, rho }: Row): void {
  const took =
    timing === undefined
      ? `${status}: ${note ?? ''}`
      : `latency ${milliseconds(timing.latency.median)} ms, per run ${milliseconds(timing.throughput.median)} ms`;
  say(`${workload}: ${contestant}: ${took}${rho === undefined ? '' : `, ρ ${rho.toPrecision(2)}`}`);
}

/** On a device of its own, so that nothing of it is left when others are timed. */
async function calibrate(source: Source): Promise<Calibration> {
  using runtime = await createRuntime({ ...source, backend: 'webgpu' });
  return await runtime.calibrate();
}

async function measure(options: Options, source: Source, adapter: Adapter): Promise<Results> {
  const { settings, workloads } = plan(options.set ?? defaultSet(adapter), options);
  const date = new Date().toISOString();
  const peers = options.backends.join() === 'webgpu' ? {} : { peers: options.backends };
  const path =
    options.json ??
    join(
      import.meta.dirname,
      'results',
      `${resultsName({ date, adapter, workloads, settings, ...peers })}-node.json`,
    );
  const about = { date, adapter, workloads, ...peers };

  const before: Results[] = [];
  for (let pass = 0; pass < settings.passes; pass++) {
    if (settings.passes > 1) say(`pass ${pass + 1} of ${settings.passes}`);
    const own = { ...settings, reversed: isReversed(settings.reversed, pass), passes: 1 };
    before.push(
      await measurePass(options, source, { ...about, settings: own }, (now) => {
        // So that a run that is cut short leaves what it has.
        if (path !== '-') write(path, mergePasses([...before, now]));
      }),
    );
  }
  if (path !== '-') say(`written: ${path}`);
  return mergePasses(before);
}

/** @param onRows is told what there is after each workload, and at the end */
async function measurePass(
  options: Options,
  source: Source,
  about: Pick<Results, 'date' | 'adapter' | 'workloads' | 'settings' | 'peers'>,
  onRows: (results: Results) => void,
): Promise<Results> {
  const { workloads, settings } = about;
  const machine = describeMachine();
  say('calibrating');
  const calibration = await calibrate(source);
  const contestants: Contestant[] = [];
  try {
    const sources = { webgpu: gatewiseWebGPU(source), cpu: gatewiseCPU };
    for (const backend of options.backends) contestants.push(await sources[backend].load());
    const rows: Row[] = [];
    const results = (rows: readonly Row[]): Results => ({
      version: 2,
      ...about,
      environment: {
        agent: `Node ${process.versions.node}, Dawn of webgpu ${webgpuPackage.version}`,
        platform: `${process.platform} ${process.arch}`,
        cores: availableParallelism(),
        ...machine,
      },
      versions: Object.fromEntries(contestants.map(({ name, version }) => [name, version])),
      calibration,
      rows,
    });
    const measured = await runBenchmark({
      contestants,
      workloads,
      settings,
      calibration,
      // Dawn's classes are global since `nodeGPU`.
      environment: { counter: new ApiCounter(), heap: heapOfNode() },
      onProgress: tellProgress(),
      onRows: (more) => {
        more.forEach(tellRow);
        rows.push(...more);
        onRows(results(rows));
      },
    });
    onRows(results(measured));
    return results(measured);
  } finally {
    for (const contestant of contestants) contestant.dispose?.();
  }
}

/** Each workload's steps on each backend. */
async function profile(
  { backends }: Options,
  source: Source,
  { workloads, settings }: Results,
): Promise<void> {
  for (const backend of backends) {
    using runtime = await createRuntime({ ...source, backend });
    for (const workload of workloads) {
      say(`${workload.name}: profiling on ${backend}`);
      const job = await gatewiseJob(runtime, makeTask(workload, settings.seed));
      console.log(`\n${workload.name}: ${describeWorkload(workload)}\n${printProfile(await job.profile())}`);
      job.dispose();
    }
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.workloads !== undefined) {
    write(options.workloads, plan(options.set ?? 'full', options));
    return;
  }
  const source: Source = {
    gpu: await nodeGPU({ flags: DAWN_FLAGS }),
    powerPreference: 'high-performance',
  };
  const adapter = await adapterOf(source);
  say(adapter.description);
  const results = await measure(options, source, adapter);
  console.log(printResults(results));
  if (options.profile) await profile(options, source, results);
  if (results.rows.some(({ status }) => status !== 'ok')) process.exitCode = 1;
}

main().catch((error: unknown) => {
  console.error(error instanceof GatewiseError ? `gatewise: ${error.message}` : error);
  process.exitCode = 1;
});
