// The page: wires the controls to a session, and shows what it measures. It trains as soon as it is open.
//
// The address presets it: ?cell=gru&hidden=64&layers=1&embedding=32&batch=16&sequence=64&lr=0.005&seed=1, and
// &backend=cpu or webgpu, &steps=200 to stop there, &temperature=0.8. For scripts and tests `window.gatewise` has the
// losses and what goes with them (`Exposed` below), and <html> has data-state, data-backend and data-steps.
import { GatewiseError, type Runtime } from '../src/index.ts';
import { BOOK_NAME, BOOK_URL } from './book.ts';
import { Chart } from './chart.ts';
import { checkpointName, readCheckpoint } from './checkpoint.ts';
import { SampleList } from './sample_list.ts';
import { Session, type State } from './session.ts';
import { CPU_DEFAULTS, DEFAULTS, parseSettings, type Settings } from './settings.ts';
import { SettingsForm } from './settings_form.ts';
import { baselinesOf, readCorpus, type Corpus } from './text.ts';
import type { StepResult, Training } from './training.ts';

interface Exposed {
  readonly state: State;
  readonly adapter: string;
  /** Nats per character of each step since the last start, reset or load, in order. */
  readonly losses: readonly number[];
  /** How many steps the checkpoint had that was loaded, else 0: losses[0] is of the step behind it. */
  readonly firstStep: number;
  readonly smoothedLoss: number;
  readonly charactersPerSecond: number | undefined;
}

declare global {
  interface Window {
    gatewise: Exposed;
  }
}

const SHOW_EVERY_MS = 200;
const FAILURES: Readonly<Record<string, string>> = {
  'not-finite': 'The training has run away. Lower the learning rate, then press Reset.',
  'device-lost': 'The device was lost. Press Reset to start over on a new one.',
  'no-adapter':
    'There is no WebGPU to run on. Without ?backend=webgpu in the address, this page uses the CPU.',
  file: 'That file cannot be used; all else is as it was.',
  argument: 'That cannot be done.',
};
const STATUS: Readonly<Record<Exclude<State, 'running'>, string>> = {
  starting: 'Getting ready …',
  paused: 'Paused',
  done: 'Done: all the steps that were asked for',
  failed: 'Stopped by an error',
};

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`page: expected #${id} to be a ${type.name}`);
  return found;
}

const query = new URLSearchParams(location.search);
const root = document.documentElement;
const text = (id: string, value: string): void => {
  element(id, HTMLElement).textContent = value;
};

const chart = new Chart(element('chart', HTMLElement));
const samples = new SampleList(element('samples', HTMLElement));
const form = new SettingsForm(
  element('settings', HTMLFormElement),
  element('cells', HTMLElement),
  element('numbers', HTMLElement),
);
const buttons = Object.fromEntries(
  ['toggle', 'reset', 'save', 'load', 'open'].map((id) => [id, element(id, HTMLButtonElement)]),
);

let corpus: Corpus | undefined;
let losses: number[] = [];
let firstStep = 0;
let latest: StepResult | undefined;
let shownAt = 0;

const session = new Session(readOptions(), {
  onState: (state) => {
    root.dataset['state'] = state;
    text('status', statusText(state));
    buttons['toggle'].textContent = state === 'running' ? 'Pause' : 'Start';
    buttons['toggle'].disabled = state !== 'running' && state !== 'paused';
    buttons['save'].disabled = session.training === undefined || state === 'failed';
    for (const id of ['reset', 'load', 'open']) buttons[id].disabled = corpus === undefined;
    show();
  },
  onBegin: (training, runtime) => {
    losses = [];
    latest = undefined;
    firstStep = training.steps;
    root.dataset['steps'] = String(training.steps);
    chart.reset(baselinesOf(training.corpus));
    samples.clear();
    form.set(training.settings);
    noteSettings();
    showAdapter(runtime);
    showPlan(training);
    text('text-name', training.corpus.name);
    const address = new URL(location.href);
    for (const [name, value] of Object.entries(training.settings))
      address.searchParams.set(name, String(value));
    history.replaceState(null, '', address);
    show();
  },
  onStep: (result) => {
    losses.push(result.loss);
    latest = result;
    root.dataset['steps'] = String(result.step);
    chart.add(result);
    if (losses.length === 1) text('status', '');
    if (performance.now() - shownAt > SHOW_EVERY_MS) show();
  },
  onSample: (training) => {
    show();
    const { steps } = training;
    const loss = latest === undefined ? 'before any step' : `loss ${latest.smoothed.toFixed(2)}`;
    return samples.begin(`step ${steps.toLocaleString('en')} · ${steps === 0 ? 'before any step' : loss}`);
  },
  onError: (error) => showError(error),
});

window.gatewise = {
  get state() {
    return session.state;
  },
  get adapter() {
    return element('adapter', HTMLElement).textContent ?? '';
  },
  get losses() {
    return losses;
  },
  get firstStep() {
    return firstStep;
  },
  get smoothedLoss() {
    return session.training?.smoothedLoss ?? NaN;
  },
  get charactersPerSecond() {
    return session.training?.speedometer.charactersPerSecond;
  },
};

/** From the address: which backend, and where to stop. */
function readOptions(): { backend: 'webgpu' | 'cpu' | undefined; steps: number } {
  const backend = query.get('backend');
  const steps = Number(query.get('steps') ?? Infinity);
  return {
    backend: backend === 'cpu' || backend === 'webgpu' ? backend : undefined,
    steps: steps > 0 ? steps : Infinity,
  };
}

function statusText(state: State): string {
  if (state === 'running') return latest === undefined ? 'Compiling the kernels …' : '';
  const steps = session.training?.steps ?? 0;
  return state === 'paused' || state === 'done'
    ? `${STATUS[state]} at step ${steps.toLocaleString('en')}`
    : STATUS[state];
}

function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (value: number): string => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${pad(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}

/** Everything that changes with the steps. */
function show(): void {
  shownAt = performance.now();
  const { training } = session;
  if (training === undefined) return;
  const speed = training.speedometer.charactersPerSecond;
  const characters = training.steps * training.charactersPerStep;
  text('loss', latest === undefined ? '–' : latest.smoothed.toFixed(3));
  text('speed', speed === undefined ? '–' : Math.round(speed).toLocaleString('en'));
  text('steps', (latest?.step ?? training.steps).toLocaleString('en'));
  text('time', duration(training.speedometer.seconds));
  text('read', `${((100 * characters) / training.corpus.tokens.length).toFixed(1)} %`);
  chart.draw();
}

function showAdapter({ backend, fallbackReason }: Runtime): void {
  root.dataset['backend'] = backend.kind;
  const why = fallbackReason ?? 'this address asks for it (backend=cpu)';
  const onCPU = `Runs on the ${backend.description}, much slower than on WebGPU, because ${why}. Its defaults are smaller.`;
  text('adapter', backend.kind === 'cpu' ? onCPU : `Runs on ${backend.description}`);
}

function showPlan(training: Training): void {
  text('plan-summary', `${training.net.parameterCount.toLocaleString('en')} parameters`);
  text('plan', training.explain());
}

/** @param what happened, in plain words; by the error's code unless given. */
function showError(error: unknown, what?: string): void {
  const alert = element('alert', HTMLElement);
  const code = error instanceof GatewiseError ? error.code : '';
  const title = document.createElement('strong');
  title.textContent = what ?? FAILURES[code] ?? 'Something went wrong. Press Reset to start over.';
  alert.replaceChildren(title, error instanceof Error ? error.message : String(error));
  alert.hidden = false;
}

function hideError(): void {
  element('alert', HTMLElement).hidden = true;
}

/** Whether the fields say something else than what is trained. */
function settingsChanged(): boolean {
  const used = session.training?.settings;
  const wanted = form.get();
  return (
    used !== undefined &&
    (Object.keys(wanted) as (keyof Settings)[]).some((name) => wanted[name] !== used[name])
  );
}

/** Goes on; where nothing has been learned yet, with the settings of the form. */
async function start(): Promise<void> {
  const fresh = session.training?.steps === 0 && settingsChanged() && form.isValid;
  if (fresh && corpus !== undefined) await session.begin(corpus, form.get());
  await session.start();
}

function noteSettings(): void {
  const changed = settingsChanged();
  text(
    'settings-note',
    changed
      ? 'Press Reset to train with these settings.'
      : 'A new learning rate is used at once, all else with Reset. The same settings give the same curve on the same adapter, bit for bit.',
  );
  element('settings-note', HTMLElement).classList.toggle('changed', changed);
  buttons['reset'].classList.toggle('wanted', changed);
}

/** What a user asked for, with what goes wrong shown on the page. */
function attempt(task: () => Promise<void>): void {
  hideError();
  task().catch((error: unknown) => showError(error));
}

async function readBook(): Promise<Corpus> {
  const response = await fetch(BOOK_URL);
  if (!response.ok)
    throw new Error(
      `The book could not be fetched: ${response.status} ${response.statusText} from ${BOOK_URL}`,
    );
  return readCorpus(BOOK_NAME, await response.text());
}

async function learn(file: File): Promise<void> {
  const next = readCorpus(file.name, await file.text());
  if (!form.isValid) return;
  corpus = next;
  await session.begin(next, form.get());
}

async function load(file: File): Promise<void> {
  const checkpoint = readCheckpoint(new Uint8Array(await file.arrayBuffer()));
  // The book is always at hand, another text only if it is the one that is open.
  const text = checkpoint.text.name === BOOK_NAME && corpus?.name !== BOOK_NAME ? await readBook() : corpus;
  if (text === undefined) return;
  await session.begin(text, checkpoint.settings, checkpoint);
  corpus = session.training?.corpus ?? corpus;
}

async function save(): Promise<void> {
  await session.between(async (training) => {
    const bytes = await training.save();
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = checkpointName(training.corpus, training.settings.cell);
    link.click();
    // The download has its own hold on the data once it has begun.
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}

const take = (file: File): void =>
  attempt(() => (file.name.endsWith('.safetensors') ? load(file) : learn(file)));

function wire(): void {
  buttons['toggle'].addEventListener('click', () =>
    attempt(() => (session.state === 'running' ? session.pause() : start())),
  );
  buttons['reset'].addEventListener('click', () => {
    const text = corpus;
    if (text !== undefined && form.isValid) attempt(() => session.begin(text, form.get()));
  });
  buttons['save'].addEventListener('click', () => attempt(save));
  for (const [button, id] of [
    ['load', 'load-file'],
    ['open', 'open-file'],
  ]) {
    const input = element(id, HTMLInputElement);
    buttons[button].addEventListener('click', () => input.click());
    input.addEventListener('change', () => {
      const file = input.files?.[0];
      input.value = '';
      if (file !== undefined) take(file);
    });
  }

  const temperature = element('temperature', HTMLInputElement);
  const setTemperature = (): void => {
    session.temperature = temperature.valueAsNumber;
    text('temperature-value', temperature.valueAsNumber.toFixed(2));
  };
  temperature.value = query.get('temperature') ?? temperature.value;
  temperature.addEventListener('input', setTemperature);
  setTemperature();

  form.onChange((wanted) => {
    const { training } = session;
    if (training !== undefined && wanted.lr !== training.settings.lr) training.learningRate = wanted.lr;
    noteSettings();
  });

  const drop = element('drop', HTMLElement);
  const hasFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
  addEventListener('dragover', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) drop.hidden = true;
  });
  addEventListener('drop', (event) => {
    drop.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (file === undefined) return;
    event.preventDefault();
    take(file);
  });
}

/** The settings of the address, or what they are where the address is wrong, which it says. */
function presetSettings(defaults: Settings): Settings {
  try {
    return parseSettings((name) => query.get(name) ?? undefined, defaults);
  } catch (error) {
    showError(error, 'The address asks for what cannot be, so these are the defaults.');
    return defaults;
  }
}

async function main(): Promise<void> {
  form.set(DEFAULTS);
  wire();
  const [{ backend }, book] = await Promise.all([session.runtime(), readBook()]);
  corpus = book;
  await session.begin(book, presetSettings(backend.kind === 'cpu' ? CPU_DEFAULTS : DEFAULTS));
}

main().catch((error: unknown) => {
  root.dataset['state'] = 'failed';
  text('status', STATUS.failed);
  showError(error);
});
