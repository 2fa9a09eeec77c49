/// <reference types="vite/client" />
// The page: runs one pass of the benchmark that its address asks for, and shows what it measures.
//
// ?set=quick&only=long,deep&peers=gatewise,tfjs, and &autostart to begin at once. The command and the tests listen
// to `window.gatewiseBench` (page/events.ts).
import { measurePass } from './benchmark.ts';
import { fastest } from './columns.ts';
import { gatewise, gatewiseBuild } from './contestants/gatewise.ts';
import { jaxWebGPU } from './contestants/jax.ts';
import { onnxWasm, onnxWebGPU } from './contestants/onnx.ts';
import { tfjsWasm, tfjsWebGPU } from './contestants/tfjs.ts';
import { ApiCounter } from './counters.ts';
import type { Environment } from './measure.ts';
import { shareAdapter, type SharedAdapter } from './page/adapters.ts';
import { drawChart, svgText } from './page/chart.ts';
import { download, element } from './page/dom.ts';
import { showForm } from './page/form.ts';
import { showHelp, showTables } from './page/tables.ts';
import { describeRun, resultsName, type Results } from './results.ts';
import { chosenWorkloads, defaultSet, readSelection, settingsFor, type Selection } from './selection.ts';
import { clock } from './speed_table.ts';
import type { SetName } from './workloads.ts';

const NO_WEBGPU =
  'This browser gives no WebGPU adapter, so there is nothing to compare. Chrome, Edge and Safari have WebGPU; on Linux Chrome may want --enable-unsafe-webgpu. The page has to come from localhost or over HTTPS.';

const importLibrary = async () => (await import('./contestants/own_library.ts')).library;
/** In the order of the tables. */
const sources = [
  gatewise('webgpu', importLibrary),
  gatewise('cpu', importLibrary),
  tfjsWebGPU,
  tfjsWasm,
  onnxWebGPU,
  onnxWasm,
  jaxWebGPU,
];
const { machine, settings, builds, peers: compared } = window.gatewiseCommand ?? { machine: {} };

const text = (id: string, value: string): void => {
  element(id, HTMLElement).textContent = value;
};
const unhide = (id: string): void => {
  element(id, HTMLElement).hidden = false;
};

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  text('alert', `The benchmark has stopped. ${message}`);
  unhide('alert');
  window.gatewiseBench?.({ kind: 'failed', message });
}

/** Not standard: only in Chromium, and only if it was started with the flags for it. */
function heapOf(): Pick<Environment, 'heap'> {
  const collect = 'gc' in globalThis && typeof globalThis.gc === 'function' ? globalThis.gc : undefined;
  const page = performance as Performance & { readonly memory?: { readonly usedJSHeapSize: number } };
  if (collect === undefined || page.memory === undefined) return {};
  // `memory` is a snapshot of the moment in which it is read.
  return { heap: { collect: () => void collect(), used: () => page.memory?.usedJSHeapSize ?? 0 } };
}

function show(results: Results): void {
  showTables(results);
  element('chart', HTMLElement).replaceChildren(drawChart(results));
  text('summary', `Fastest: ${fastest(results.workloads, results.rows)}`);
  unhide('picture');
}

function offer(results: Results, set: SetName, only: readonly string[]): void {
  const save = (id: string, extension: string, type: string, content: string): void =>
    element(id, HTMLElement).addEventListener('click', () =>
      download(`${resultsName(results, set, only)}.${extension}`, type, content),
    );
  save('save-json', 'json', 'application/json', `${JSON.stringify(results, undefined, 1)}\n`);
  save('save-svg', 'svg', 'image/svg+xml', svgText(drawChart(results)));
  unhide('save');
}

async function run(shared: SharedAdapter, { set, only, peers: asked }: Selection): Promise<void> {
  const start = performance.now();
  unhide('progress');
  const { adapter } = shared;
  const chosenSet = set ?? defaultSet(adapter);
  const workloads = chosenWorkloads(chosenSet, only);
  const wanted = sources.filter(({ key }) => asked.length === 0 || asked.some((peer) => peer === key));
  const peers = compared ?? (asked.length === 0 ? undefined : asked);
  const { userAgent: agent, platform, hardwareConcurrency: cores } = navigator;
  const results = await measurePass(
    {
      sources: builds?.map((build) => gatewiseBuild(build)) ?? wanted,
      workloads,
      adapter,
      environment: { agent, platform, cores, ...machine },
      settings: settings ?? { ...settingsFor(chosenSet, workloads), passes: 1 },
      ...(peers === undefined ? {} : { peers }),
      measuring: { counter: new ApiCounter(), ...heapOf() },
      load: (source) => shared.load(source),
    },
    // Between samples: nothing on the page changes while something is timed.
    (event) => {
      if (event.kind === 'rows') show(event.results);
      else {
        element('bar', HTMLProgressElement).value = event.done;
        text('now', `${clock(performance.now() - start)} ${event.text}`);
      }
      window.gatewiseBench?.(event);
    },
  );
  element('bar', HTMLProgressElement).value = 1;
  text('now', '');
  text('status', `Done in ${clock(performance.now() - start)}`);
  offer(results, chosenSet, only);
  window.gatewiseBench?.({ kind: 'done', results });
}

async function main(): Promise<void> {
  showHelp();
  const query = new URLSearchParams(location.search);
  const selection = readSelection(query);
  const shared = await shareAdapter();
  if (shared === undefined) throw new Error(NO_WEBGPU);
  const { adapter } = shared;
  document.documentElement.dataset['backend'] = 'webgpu';
  text('adapter', describeRun(adapter, { cores: navigator.hardwareConcurrency, ...machine }));
  window.gatewisePage = { adapter, picture: (results) => svgText(drawChart(results)) };
  showForm(selection, defaultSet(adapter));
  if (query.has('autostart')) await run(shared, selection);
  element('choice', HTMLFieldSetElement).disabled = false;
}

main().catch(fail);
