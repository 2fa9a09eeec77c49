// The page: wires the controls to a session in a worker, and shows the session's events. It trains as soon as it is open.
//
// The address presets it: ?cell=gru&hidden=64&layers=1&embedding=32&batch=16&sequence=64&lr=0.005&seed=1, and
// &backend=cpu or webgpu, &steps=200 to stop there, &temperature=0.8. For scripts and tests `window.gatewise` has the
// losses and what goes with them (`Exposed` below), and <html> has data-state, data-backend and data-steps.
import { Chart } from './chart.ts';
import { failureOf, type Failure } from './failure.ts';
import { duration, timesRead } from './format.ts';
import { SESSION, VIEW } from './protocol.ts';
import { remote, serve, type OneWay } from './remote.ts';
import { SampleList, type SampleEntry } from './sample_list.ts';
import type { Begun, Session, SessionView, State } from './session.ts';
import { CPU_DEFAULTS, DEFAULTS, parseSettings, type Settings } from './settings.ts';
import { SettingsForm } from './settings_form.ts';
import type { StepResult } from './training.ts';

interface Exposed {
  readonly state: State;
  readonly adapter: string;
  /** Nats per character of each step since the last start, reset or load, in order. */
  readonly losses: readonly number[];
  /** The number of steps of the loaded checkpoint, else 0: losses[0] belongs to the step after it. */
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
  device: 'The device has failed. Press Reset to start over on a new one.',
  'device-lost': 'The device was lost. Press Reset to start over on a new one.',
  'no-adapter':
    'There is no WebGPU to run on. Without ?backend=webgpu in the address, this page uses the CPU.',
  file: 'That file cannot be used; all else is as it was.',
  argument: 'That cannot be done; all else is as it was.',
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
  ['toggle', 'reset', 'save', 'load', 'open', 'apply'].map((id) => [id, element(id, HTMLButtonElement)]),
);

const temperature = element('temperature', HTMLInputElement);

let worker: Worker | undefined;
let session: OneWay<Session>;
let state: State = 'starting';
let ready = false;
let begun: Begun | undefined;
/** The settings in use: those of the last `begin`, except the learning rate, which can change later. */
let used: Settings | undefined;
/** The learning rate, where it was set since a model was asked for last. */
let rate: number | undefined;
let losses: number[] = [];
let latest: StepResult | undefined;
let sample: SampleEntry | undefined;
let shownAt = 0;

const view: SessionView = {
  onReady: (backend) => {
    ready = true;
    hideError();
    const wanted = begun === undefined ? undefined : form.get();
    begin(wanted ?? presetSettings(backend === 'cpu' ? CPU_DEFAULTS : DEFAULTS));
  },
  onState: (next) => {
    state = next;
    root.dataset['state'] = state;
    text('status', statusText());
    buttons['toggle'].textContent = state === 'running' ? 'Pause' : 'Start';
    buttons['toggle'].disabled = !ready || state === 'failed';
    buttons['save'].disabled = !ready || begun === undefined || state === 'failed';
    buttons['reset'].disabled = !ready && state !== 'failed';
    for (const id of ['load', 'open']) buttons[id].disabled = !ready;
    show();
  },
  onBegin: (next) => {
    begun = next;
    used = { ...next.settings, lr: rate ?? next.settings.lr };
    losses = [];
    latest = undefined;
    root.dataset['steps'] = String(next.steps);
    chart.reset(next.text.baselines);
    samples.clear();
    form.set(used);
    noteSettings();
    showAdapter(next);
    text('plan-summary', `${next.parameters.toLocaleString('en')} parameters`);
    text('plan', next.plan);
    text('text-name', next.text.name);
    const address = new URL(location.href);
    for (const [name, value] of Object.entries(used)) address.searchParams.set(name, String(value));
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
  onSample: () => {
    show();
    const loss = latest === undefined ? 'before any step' : `loss ${latest.smoothed.toFixed(2)}`;
    sample = samples.begin(`step ${stepCount()} · ${loss}`);
  },
  onCharacter: (character) => sample?.add(character),
  onSampleEnd: () => sample?.done(),
  onCompile: ({ compiled, total }) => {
    if (state === 'running')
      text('status', compiled < total ? `Compiling kernels: ${compiled} of ${total}` : statusText());
  },
  onReading: (name, share) => text('status', `Reading ${name}: ${Math.floor(100 * share)} %`),
  onSaved: (name, bytes) => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = name;
    link.click();
    // A download that has begun holds the data by itself.
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  },
  onError: (failure) => {
    text('status', statusText());
    showError(failure);
  },
};

window.gatewise = {
  get state() {
    return state;
  },
  get adapter() {
    return element('adapter', HTMLElement).textContent ?? '';
  },
  get losses() {
    return losses;
  },
  get firstStep() {
    return begun?.steps ?? 0;
  },
  get smoothedLoss() {
    return latest?.smoothed ?? begun?.smoothed ?? NaN;
  },
  get charactersPerSecond() {
    return latest?.charactersPerSecond;
  },
};

/** The backend and the step to stop at, from the address. */
function readOptions(): { backend: 'webgpu' | 'cpu' | undefined; steps: number } {
  const backend = query.get('backend');
  const steps = Number(query.get('steps') ?? Infinity);
  return {
    backend: backend === 'cpu' || backend === 'webgpu' ? backend : undefined,
    steps: steps > 0 ? steps : Infinity,
  };
}

function stepCount(): string {
  return (latest?.step ?? begun?.steps ?? 0).toLocaleString('en');
}

function statusText(): string {
  switch (state) {
    case 'starting':
      return 'Getting ready …';
    case 'running':
      return latest === undefined ? 'Compiling the kernels …' : '';
    case 'paused':
      return `Paused at step ${stepCount()}`;
    case 'done':
      return `Done at step ${stepCount()}, as asked for. Start goes on without end.`;
    case 'failed':
      return 'Stopped by an error';
  }
}

/** Everything that changes with the steps. */
function show(): void {
  shownAt = performance.now();
  if (begun === undefined) return;
  const { text: read, settings, steps } = begun;
  const speed = latest?.charactersPerSecond;
  const characters = (latest?.step ?? steps) * settings.batch * settings.sequence;
  text('loss', latest === undefined ? '–' : latest.smoothed.toFixed(3));
  text('speed', speed === undefined ? '–' : Math.round(speed).toLocaleString('en'));
  text('steps', stepCount());
  text('time', duration(latest?.seconds ?? 0));
  text('read', timesRead(characters / read.characters));
  chart.draw();
}

function showAdapter({ adapter: { kind, description, fallbackReason } }: Begun): void {
  root.dataset['backend'] = kind;
  const why = fallbackReason ?? 'this address asks for it (backend=cpu)';
  const onCPU = `Runs on the ${description}, much slower than on WebGPU, because ${why}. Its defaults are smaller.`;
  text('adapter', kind === 'cpu' ? onCPU : `Runs on ${description}`);
}

/** @param what happened, in plain words; by the error's code unless given. */
function showError({ code, message }: Failure, what?: string): void {
  const alert = element('alert', HTMLElement);
  const title = document.createElement('strong');
  title.textContent = what ?? FAILURES[code ?? ''] ?? 'Something went wrong. Press Reset to start over.';
  alert.replaceChildren(title, message);
  alert.hidden = false;
}

function hideError(): void {
  element('alert', HTMLElement).hidden = true;
}

/** Whether the fields differ from the settings in use, or are invalid. */
function settingsChanged(): boolean {
  const wanted = form.get();
  const now = used;
  return (
    now !== undefined &&
    (wanted === undefined ||
      (Object.keys(wanted) as (keyof Settings)[]).some((name) => wanted[name] !== now[name]))
  );
}

/** A session in a worker of its own, in place of the one there is. */
function open(): void {
  worker?.terminate();
  const opened = new Worker(new URL('./session_worker.ts', import.meta.url), { type: 'module' });
  worker = opened;
  session = remote<Session>(opened, SESSION);
  serve(opened, view, VIEW);
  // For errors that the session cannot catch, such as a worker that does not load.
  opened.addEventListener('error', ({ message }) => {
    opened.terminate();
    ready = false;
    view.onState('failed');
    showError({ code: undefined, message: message ?? 'The worker of this page could not be started.' });
  });
  view.onState('starting');
  session.open(readOptions());
  setTemperature();
}

function begin(settings: Settings): void {
  rate = undefined;
  session.begin(settings);
}

/** Continues the training; before its first step, with the settings of the form. */
function start(): void {
  const wanted = form.get();
  const fresh = begun?.steps === 0 && latest === undefined;
  if (fresh && wanted !== undefined && settingsChanged()) begin(wanted);
  session.start();
}

function startOver(): void {
  const wanted = form.demand();
  if (wanted === undefined) return;
  hideError();
  if (ready) begin(wanted);
  else open();
}

function noteSettings(): void {
  const changed = settingsChanged();
  text(
    'settings-note',
    changed
      ? 'Starting over forgets what has been learned; Save keeps it.'
      : 'A new learning rate is used at once, all else after starting over. The same settings give the same curve on the same adapter, bit for bit.',
  );
  buttons['apply'].disabled = !changed;
}

function take(file: File): void {
  if (!ready) {
    const when = state === 'failed' ? 'after Reset' : 'in a moment';
    return showError(
      { code: undefined, message: `${file.name} was not read.` },
      `This page is not ready for files. Try again ${when}.`,
    );
  }
  hideError();
  rate = undefined;
  if (file.name.endsWith('.safetensors')) return session.load(file);
  const wanted = form.demand();
  if (wanted !== undefined) session.learn(file, wanted);
}

function setTemperature(): void {
  session.setTemperature(temperature.valueAsNumber);
  text('temperature-value', temperature.valueAsNumber.toFixed(2));
}

function wire(): void {
  buttons['toggle'].addEventListener('click', () => {
    hideError();
    if (state === 'running') session.pause();
    else start();
  });
  buttons['reset'].addEventListener('click', startOver);
  form.onSubmit(startOver);
  buttons['save'].addEventListener('click', () => {
    hideError();
    session.save();
  });
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

  temperature.value = query.get('temperature') ?? temperature.value;
  temperature.addEventListener('input', setTemperature);

  form.onChange(() => {
    const lr = form.get()?.lr;
    if (used !== undefined && lr !== undefined && lr !== used.lr) {
      used = { ...used, lr };
      rate = lr;
      session.setLearningRate(lr);
    }
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

/** The settings in the address. If these are wrong, it shows an error and returns the defaults. */
function presetSettings(defaults: Settings): Settings {
  try {
    return parseSettings((name) => query.get(name) ?? undefined, defaults);
  } catch (error) {
    showError(failureOf(error), 'The address asks for what cannot be, so these are the defaults.');
    return defaults;
  }
}

function main(): void {
  form.set(DEFAULTS);
  wire();
  open();
}

main();
