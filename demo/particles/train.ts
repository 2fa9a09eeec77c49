// Makes the weights of the controller: `npx tsx demo/particles/train.ts` (five minutes on a software
// adapter); the number of pieces may follow.
//
// Imitation on the learner's own paths (DAgger; Ross, Gordon, Bagnell 2011): the controller steers particles through the same
// simulation as in the page, a teacher that knows all says what it would have done in each frame, and the trainer lowers the mean
// square of the difference. Each piece of a path goes on where the last has ended (`stateful`), so memory is learned that lasts.
// Everything stays on the device: the passes write into buffers that are the trainer's tensors.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { adam, mse, Trainer } from '../../src/train/index.ts';
import { createRuntime, Random } from '../../src/index.ts';
import { nodeGPU } from '../../src/node/index.ts';
import { controller, WEIGHTS_URL } from './controller.ts';
import { someParticle, Swarm } from './swarm.ts';
import { Target } from './target.ts';
import { Teacher } from './teacher.ts';
import { ACTIONS, PARTICLE_BYTES, SENSES, type Point } from './world.ts';

const PARTICLES = 256;
const FRAMES = 32;
const PIECES = Number(process.argv[2] ?? 1600);
/** In each piece one particle of so many starts anew. */
const NEW_EVERY = 10;
const VIEWS: readonly Point[] = [
  { x: 1, y: 1 },
  { x: 1.8, y: 1 },
  { x: 1, y: 2 },
];

const adapter = await (await nodeGPU()).requestAdapter();
if (adapter === null) throw new Error('train: expected a WebGPU adapter, found none');
const device = await adapter.requestDevice();
device.addEventListener('uncapturederror', ({ error }) => {
  throw new Error(`train: ${error.message}`);
});
const runtime = await createRuntime({ device });
console.log(`On ${runtime.backend.description}`);

const random = new Random(1);
const viewOf = (i: number): Point => VIEWS[i % VIEWS.length];
const rows = Array.from({ length: PARTICLES }, (_, i) => i);
const targets = rows.map(() => new Target(random));
const swarm = new Swarm(
  device,
  rows.map((i) => someParticle(random, viewOf(i))),
  PARTICLES,
);
const teacher = new Teacher(device, swarm);

const senses = runtime.tensorFrom(swarm.senses, { shape: [PARTICLES, SENSES] });
const actions = runtime.tensorFrom(swarm.actions, { shape: [PARTICLES, ACTIONS] });
const paths = runtime.tensor(new Float32Array(FRAMES * PARTICLES * SENSES), {
  shape: [FRAMES, PARTICLES, SENSES],
});
const lessons = runtime.tensor(new Float32Array(FRAMES * PARTICLES * ACTIONS), {
  shape: [FRAMES, PARTICLES, ACTIONS],
});

const net = await runtime.load(controller(), { seed: 1 });
const stream = net.stream({ batch: PARTICLES });
const lr = (step: number): number => 1e-2 * Math.min(1, (step + 1) / 50) * (1 - step / PIECES) + 1e-5;
const trainer = new Trainer(net, { loss: mse, optimizer: adam({ lr }), clipNorm: 1, stateful: true });

let frame = 0;
function play(time: number): void {
  for (const [i, target] of targets.entries()) target.advance(viewOf(i));
  swarm.write(frame++, targets);
  const encoder = device.createCommandEncoder();
  swarm.encode(encoder, 'sense');
  teacher.encode(encoder);
  const keep = (from: GPUBuffer, to: GPUBuffer, numbers: number): void =>
    encoder.copyBufferToBuffer(from, 0, to, 4 * numbers * time, 4 * numbers);
  keep(swarm.senses, paths.gpuBuffer, PARTICLES * SENSES);
  keep(teacher.lessons, lessons.gpuBuffer, PARTICLES * ACTIONS);
  stream.encode(encoder, senses, actions);
  swarm.encode(encoder, 'advance');
  device.queue.submit([encoder.finish()]);
}

let smoothed = NaN;
for (let piece = 0; piece < PIECES; piece++) {
  for (let time = 0; time < FRAMES; time++) play(time);
  const loss = await trainer.step(paths, lessons);
  smoothed = Number.isNaN(smoothed) ? loss : smoothed + 0.05 * (loss - smoothed);
  if (piece % 50 === 49) console.log(`piece ${piece + 1}: mean square error ${smoothed.toFixed(4)}`);
  const fresh = rows.filter((i) => i % NEW_EVERY === piece % NEW_EVERY);
  for (const i of fresh) {
    const particle = Float32Array.from(someParticle(random, viewOf(i)));
    device.queue.writeBuffer(swarm.particles, PARTICLE_BYTES * i, particle);
  }
  stream.reset(fresh);
  trainer.resetStates(fresh);
}

const path = fileURLToPath(WEIGHTS_URL);
writeFileSync(path, await net.save({ error: smoothed.toFixed(4), pieces: String(PIECES) }));
console.log(`wrote ${path}`);
runtime.dispose();
device.destroy();
