// A swarm with its controller: a stream of the net, of a batch as large as the swarm, between the swarm's two passes.
import { Random, type Net, type Runtime, type Stream, type Tensor } from '../../src/index.ts';
import { someParticle, Swarm } from './swarm.ts';
import type { Target } from './target.ts';
import { ACTIONS, SENSES, type Point } from './world.ts';

export class Flock {
  readonly swarm: Swarm;
  readonly stream: Stream;
  /** The swarm's buffers as tensors: (count, SENSES) and (count, ACTIONS). */
  readonly senses: Tensor;
  readonly actions: Tensor;
  /** Without memory, each frame starts from zero states. */
  memory = true;
  #frames = 0;

  /** @param view Half the width and half the height of where the particles start. */
  constructor(device: GPUDevice, runtime: Runtime, net: Net, count: number, view: Point) {
    const random = new Random(count);
    this.swarm = new Swarm(
      device,
      Array.from({ length: count }, () => someParticle(random, view)),
    );
    this.senses = runtime.tensorFrom(this.swarm.senses, { shape: [count, SENSES] });
    this.actions = runtime.tensorFrom(this.swarm.actions, { shape: [count, ACTIONS] });
    this.stream = net.stream({ batch: count });
  }

  /** Records the next frame: what the particles see, what the net makes of it, and how they move. */
  encode(encoder: GPUCommandEncoder, target: Target): void {
    this.swarm.write(this.#frames++, [target]);
    if (!this.memory) this.stream.reset();
    this.swarm.encode(encoder, 'sense');
    this.stream.encode(encoder, this.senses, this.actions);
    this.swarm.encode(encoder, 'advance');
  }

  dispose(): void {
    this.stream.dispose();
    this.senses.dispose();
    this.actions.dispose();
    this.swarm.destroy();
  }
}
