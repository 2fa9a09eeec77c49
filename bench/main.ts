// The page: wires the form to a run of the benchmark, and shows what it measures.
//
// The address presets it: ?set=quick&only=long,deep&peers=gatewise,tfjs&reversed&seed=1, and &autostart to begin at
// once. The command and the tests hear of it through `window.gatewiseBench` (page/events.ts).
import { createRuntime, type Calibration } from '../src/index.ts';
import { fastest } from './columns.ts';
import type { Contestant } from './contestants/contestant.ts';
import { contestantKeys } from './contestants/keys.ts';
import { ApiCounter } from './counters.ts';
import type { Environment, Progress } from './measure.ts';
import { SharedAdapter } from './page/adapters.ts';
import { darkCard, drawChart, light, lightCard, svgText } from './page/chart.ts';
import { download, element } from './page/dom.ts';
import { progressText, send } from './page/events.ts';
import { ChoiceForm, type Choice } from './page/form.ts';
import { showCalibration, showHelp, Tables } from './page/tables.ts';
import { mergePasses } from './passes.ts';
import { describeRun, resultsName, type Results, type Row } from './results.ts';
import { runBenchmark } from './run_benchmark.ts';
import { defaultSet, readSelection, settingsFor, type Selection } from './selection.ts';
import { clock } from './speed_table.ts';

const NO_WEBGPU =
  'This browser gives no WebGPU adapter, so there is nothing to compare. Chrome, Edge and Safari have WebGPU; on Linux Chrome may want --enable-unsafe-webgpu. The page has to come from localhost or over HTTPS.';

const tables = new Tables();
const darkScheme = matchMedia('(prefers-color-scheme: dark)');
const jsonButton = element('save-json', HTMLButtonElement);
const svgButton = element('save-svg', HTMLButtonElement);

/** What the chart is drawn from. */
let drawn: Results | undefined;
let results: Results | undefined;

const text = (id: string, value: string): void => {
  element(id, HTMLElement).textContent = value;
};

function showError(title: string, message: string): void {
  const alert = element('alert', HTMLElement);
  const strong = document.createElement('strong');
  strong.textContent = title;
  alert.replaceChildren(strong, message);
  alert.hidden = false;
}

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  showError('The benchmark has stopped.', message);
  text('status', 'Stopped by an error');
  send({ kind: 'failed', message });
}

function draw(): void {
  if (drawn === undefined) return;
  element('chart', HTMLElement).replaceChildren(drawChart(drawn, darkScheme.matches ? darkCard : lightCard));
  text('summary', `Fastest: ${fastest(drawn.workloads, drawn.rows)}`);
  element('picture', HTMLElement).hidden = false;
}

/** Not standard: only in Chromium, and only where it was started so. */
function heapOf(): Environment['heap'] {
  const collect = 'gc' in globalThis && typeof globalThis.gc === 'function' ? globalThis.gc : undefined;
  const page = performance as Performance & { readonly memory?: { readonly usedJSHeapSize: number } };
  if (collect === undefined || page.memory === undefined) return undefined;
  // What `memory` gives is of the moment in which it was asked for.
  return { collect: () => void collect(), used: () => page.memory?.usedJSHeapSize ?? 0 };
}

/** Tells how far a run is, here and to whoever listens. It changes only between samples, when nothing is timed. */
class ProgressView {
  readonly #start = performance.now();

  constructor() {
    element('progress', HTMLElement).hidden = false;
  }

  /** @param done 0 to 1 */
  show(now: string, done: number): void {
    element('bar', HTMLProgressElement).value = done;
    text('now', now);
    text('elapsed', `${clock(performance.now() - this.#start)} so far`);
    send({ kind: 'progress', text: now, done });
  }

  /** Said aloud too, so rarely. */
  say(status: string): void {
    text('status', status);
  }

  finish(): void {
    const took = `Done in ${clock(performance.now() - this.#start)}`;
    element('bar', HTMLProgressElement).value = 1;
    text('now', '');
    text('elapsed', '');
    this.say(took);
  }
}

async function calibrate(): Promise<Calibration> {
  const runtime = await createRuntime({ backend: 'webgpu' });
  try {
    return await runtime.calibrate();
  } finally {
    runtime.dispose();
  }
}

/** How much of a run is over before the first workload. */
const READY = 0.05;

async function run(shared: SharedAdapter, choice: Choice, seed: number): Promise<void> {
  const { workloads, sources, reversed, set } = choice;
  const { adapter } = shared;
  const names = workloads.map(({ name }) => name);
  const contestantNames = sources.map(({ name }) => name);
  const date = new Date().toISOString();
  const settings = settingsFor(set, workloads, { seed, reversed });
  const before = window.gatewisePasses ?? [];
  send({
    kind: 'start',
    adapter: adapter.description,
    set,
    workloads: names,
    contestants: contestantNames,
    passes: settings.passes,
  });
  results = undefined;
  drawn = undefined;
  jsonButton.disabled = svgButton.disabled = true;
  element('alert', HTMLElement).hidden = true;
  element('picture', HTMLElement).hidden = true;
  tables.begin(workloads, contestantNames);

  const view = new ProgressView();
  view.say('Calibrating the adapter');
  view.show('calibrating the adapter', 0);
  const calibration = await calibrate();
  showCalibration(calibration);

  const contestants: Contestant[] = [];
  view.say('Loading the contestants');
  for (const [i, source] of sources.entries()) {
    view.show(`loading ${source.name}`, (READY * (i + 1)) / (sources.length + 1));
    contestants.push(await shared.load(source));
  }

  const heap = heapOf();
  const rows: Row[] = [];
  const onProgress = (progress: Progress): void => {
    const at = names.indexOf(progress.workload);
    tables.progress(progress);
    if (progress.doing === 'preparing' && progress.done === 0)
      view.say(`Workload ${at + 1} of ${names.length}: ${progress.workload}`);
    view.show(progressText(progress), READY + ((1 - READY) * (at + progress.done)) / names.length);
  };
  const keys = [...new Set(sources.map(({ key }) => key))];
  const everyone = keys.length === Object.keys(contestantKeys).length;
  const resultsOf = (now: readonly Row[]): Results => ({
    version: 2,
    date,
    adapter,
    environment: {
      agent: navigator.userAgent,
      platform: navigator.platform,
      cores: navigator.hardwareConcurrency,
      ...window.gatewiseMachine,
    },
    versions: Object.fromEntries(contestants.map(({ name, version }) => [name, version])),
    settings: { ...settings, passes: 1 },
    ...(everyone ? {} : { peers: keys }),
    calibration,
    workloads,
    rows: now,
  });
  const measured = await runBenchmark({
    contestants,
    workloads,
    settings,
    calibration,
    environment: { counter: new ApiCounter(), ...(heap === undefined ? {} : { heap }) },
    onProgress,
    onRows: (more) => {
      rows.push(...more);
      drawn = mergePasses([...before, resultsOf(rows)]);
      tables.show(workloads, drawn.rows);
      draw();
      send({ kind: 'rows', results: drawn });
    },
  });

  const pass = resultsOf(measured);
  results = mergePasses([...before, pass]);
  drawn = results;
  // Again: what the best product of all gives is known only now.
  tables.show(workloads, results.rows);
  draw();
  view.finish();
  jsonButton.disabled = svgButton.disabled = false;
  send({ kind: 'done', pass, results, svg: svgText(drawChart(results, light)) });
  // Last, so that what one of them throws takes no results along.
  for (const contestant of contestants) contestant.dispose?.();
}

/** What the address asks for, or everything where it asks for what there is not, which it says. */
function readAddress(): { selection: Selection; autostart: boolean } {
  const query = new URLSearchParams(location.search);
  try {
    return { selection: readSelection(query), autostart: query.has('autostart') };
  } catch (error) {
    showError(
      'The address asks for what there is not.',
      error instanceof Error ? error.message : String(error),
    );
    return { selection: readSelection(new URLSearchParams()), autostart: false };
  }
}

async function main(): Promise<void> {
  showHelp();
  const { selection, autostart } = readAddress();
  const shared = await SharedAdapter.find();
  if (shared === undefined) {
    text('adapter', 'No WebGPU');
    showError('There is no WebGPU here.', NO_WEBGPU);
    send({ kind: 'failed', message: NO_WEBGPU });
    return;
  }
  document.documentElement.dataset['backend'] = 'webgpu';
  const cores = navigator.hardwareConcurrency;
  text('adapter', describeRun(shared.adapter, { cores, ...window.gatewiseMachine }));
  const start = (choice: Choice): void => {
    form.disable();
    run(shared, choice, selection.seed)
      .catch(fail)
      .finally(() => form.enable());
  };
  const form = new ChoiceForm(selection, defaultSet(shared.adapter), start);
  form.enable();
  jsonButton.addEventListener('click', () => {
    if (results !== undefined)
      download(
        `${resultsName(results)}.json`,
        'application/json',
        `${JSON.stringify(results, undefined, 1)}\n`,
      );
  });
  svgButton.addEventListener('click', () => {
    if (results !== undefined)
      download(`${resultsName(results)}.svg`, 'image/svg+xml', svgText(drawChart(results, light)));
  });
  darkScheme.addEventListener('change', draw);
  if (autostart) start(form.choice);
}

main().catch(fail);
