// The controller of the page of particles, between the page's own passes: the numbers that a stream's pushes give.
import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { controller, WEIGHTS_URL } from '../../demo/particles/controller.ts';
import { Flock } from '../../demo/particles/flock.ts';
import { Target } from '../../demo/particles/target.ts';
import { SENSES, SIGHT_EVERY } from '../../demo/particles/world.ts';
import { createRuntime, Random } from '../../src/index.ts';

const COUNT = 300;
const VIEW = { x: 1.5, y: 1 };

test.each([true, false])(
  'the actions that a frame writes are those of push, bit for bit, with memory %s',
  async (memory) => {
    const adapter = await navigator.gpu.requestAdapter();
    const device = await adapter!.requestDevice();
    using runtime = await createRuntime({ device });
    const net = await runtime.load(controller(), { weights: readFileSync(WEIGHTS_URL) });
    const flock = new Flock(device, runtime, net, COUNT, VIEW);
    flock.memory = memory;
    const reference = net.stream({ batch: COUNT });
    const target = new Target(new Random(1));
    const sightings: number[] = [];
    const different = new Set<string>();
    for (let frame = 0; frame < 2 * SIGHT_EVERY; frame++) {
      target.advance(VIEW);
      const encoder = device.createCommandEncoder();
      flock.encode(encoder, target);
      device.queue.submit([encoder.finish()]);
      const senses = await flock.senses.read();
      if (!memory) reference.reset();
      const pushed = await reference.push(runtime.tensor(senses, { shape: flock.senses.shape })).read();
      const actions = await flock.actions.read();
      expect(actions).toEqual(pushed);
      sightings.push(Array.from(senses).filter((seen, i) => i % SENSES === 2 && seen === 1).length);
      different.add(String(actions.slice(0, 2)));
    }
    expect(sightings.slice(0, SIGHT_EVERY).reduce((sum, seen) => sum + seen, 0)).toBe(COUNT);
    expect(different.size).toBe(2 * SIGHT_EVERY);
    flock.dispose();
  },
);
