// The page: it asks for a device of its own, gives it to gatewise, and on each frame records all its passes and submits them once.
//
// For scripts and tests `window.particles` has what `Exposed` lists.
import * as tools from '../../src/tools/index.ts';
import { createRuntime, Random } from '../../src/index.ts';
import { controller, WEIGHTS_URL } from './controller.ts';
import { Flock } from './flock.ts';
import { Loop } from './loop.ts';
import { Renderer } from './renderer.ts';
import { Stage } from './stage.ts';
import { Target } from './target.ts';

interface Exposed {
  readonly device: GPUDevice;
  readonly flock: Flock;
  readonly target: Target;
  /** Frames since the page is open. */
  readonly frames: number;
}

declare global {
  interface Window {
    particles?: Exposed;
  }
}

const NEEDS =
  'Needed are a browser with WebGPU (from Chrome or Edge 113, Safari 26 or Firefox 141 on), graphics that it supports, and a page from localhost or over https.';

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`page: expected #${id} to be a ${type.name}`);
  return found;
}

const canvas = element('canvas', HTMLCanvasElement);
const toggle = element('toggle', HTMLButtonElement);
const count = element('count', HTMLSelectElement);
const memory = element('memory', HTMLInputElement);
const controls = [toggle, count, memory];

let loop: Loop | undefined;
let failed = false;

function fail(title: string, message: string): void {
  failed = true;
  loop?.stop();
  const alert = element('alert', HTMLElement);
  const strong = document.createElement('strong');
  strong.textContent = title;
  alert.replaceChildren(strong, message);
  alert.hidden = false;
  for (const control of controls) control.disabled = true;
}

async function requestDevice(): Promise<GPUDevice | undefined> {
  // lib.dom says that there always is one.
  const gpu = navigator.gpu as GPU | undefined;
  const adapter = await gpu?.requestAdapter();
  if (adapter) return adapter.requestDevice();
  const why = gpu === undefined ? 'has no WebGPU' : 'has WebGPU, but no graphics adapter for it';
  fail('This page cannot run here.', `This browser ${why}. ${NEEDS}`);
  return undefined;
}

async function fetchWeights(): Promise<Uint8Array> {
  const response = await fetch(WEIGHTS_URL);
  if (!response.ok) throw new Error(`${WEIGHTS_URL}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

const failWith = (error: unknown): void =>
  fail('Something went wrong.', error instanceof Error ? error.message : String(error));

async function run(device: GPUDevice): Promise<void> {
  device.addEventListener('uncapturederror', ({ error }) => fail('The device has failed.', error.message));
  void device.lost.then(({ message }) => fail('The device was lost. Reload the page.', message));
  const runtime = await createRuntime({ device });
  const net = await runtime.load(controller(), { weights: await fetchWeights() });
  const context = canvas.getContext('webgpu');
  if (context === null) throw new Error('the canvas has no context for WebGPU');
  if (failed) return;

  const renderer = new Renderer(device, context);
  const stage = new Stage(canvas, look);
  const target = new Target(new Random(1));
  let flock = gather();
  let frames = 0;
  let changes = 0;
  show();

  function gather(): Flock {
    const gathered = new Flock(device, runtime, net, Number(count.value), stage.half);
    gathered.memory = memory.checked;
    return gathered;
  }

  function show(): void {
    renderer.show(flock.swarm);
    element('plan', HTMLElement).textContent = tools.explain(flock.stream, flock.senses);
  }

  /** Compiles pipelines ahead, so that the first frame does not block. */
  const prepare = ({ stream, senses }: Flock): Promise<void> => tools.prepare(stream, senses);

  /** Replaces the flock, which flies on meanwhile, by one of the chosen number. */
  async function replaceFlock(): Promise<void> {
    const change = ++changes;
    const next = gather();
    await prepare(next);
    // The number was changed again meanwhile.
    if (change !== changes) return next.dispose();
    flock.dispose();
    flock = next;
    show();
    look();
  }

  /** A frame: one encoder, one submit. */
  function frame(): void {
    const encoder = device.createCommandEncoder();
    target.advance(stage.half, stage.pointer);
    flock.encode(encoder, target);
    renderer.encode(encoder);
    device.queue.submit([encoder.finish()]);
    frames++;
  }

  /** Shows the particles as they are, in the size and the colours of now. */
  function look(): void {
    renderer.look(stage.half, stage.pixel, stage.look(flock.swarm.count));
    if (loop?.running) return;
    const encoder = device.createCommandEncoder();
    renderer.encode(encoder);
    device.queue.submit([encoder.finish()]);
  }

  loop = new Loop(device, frame, (rate) => {
    element('rate', HTMLElement).textContent = rate === undefined ? '–' : rate.toFixed(rate < 10 ? 1 : 0);
  });
  const play = (running: boolean): void => {
    if (running) loop?.start();
    else loop?.stop();
    toggle.textContent = running ? 'Pause' : 'Start';
  };
  toggle.addEventListener('click', () => play(loop?.running !== true));
  memory.addEventListener('change', () => {
    flock.memory = memory.checked;
  });
  count.addEventListener('change', () => void replaceFlock().catch(failWith));
  await prepare(flock);
  for (const control of controls) control.disabled = false;
  play(!matchMedia('(prefers-reduced-motion: reduce)').matches);

  window.particles = {
    device,
    target,
    get flock() {
      return flock;
    },
    get frames() {
      return frames;
    },
  };
}

async function main(): Promise<void> {
  const device = await requestDevice();
  if (device !== undefined) await run(device);
}

main().catch(failWith);
