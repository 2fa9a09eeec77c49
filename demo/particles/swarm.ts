// The simulation: particles in a buffer, a pass that writes what each senses, and one that moves each by its action.
import type { Random } from '../../src/index.ts';
import {
  ACTIONS,
  DRAG,
  PARTICLE_BYTES,
  PARTICLE_WGSL,
  SCENE_BYTES,
  SCENE_WGSL,
  SENSES,
  SIGHT_EVERY,
  STEP,
  STRONGEST,
  TARGET_BYTES,
  WORKGROUP,
  type Point,
} from './world.ts';

const CODE = /* wgsl */ `
${PARTICLE_WGSL}
${SCENE_WGSL}
@group(0) @binding(0) var<storage, read_write> particles: array<Particle>;
@group(0) @binding(1) var<storage, read> scene: Scene;
@group(0) @binding(2) var<storage, read_write> senses: array<f32>;
@group(0) @binding(3) var<storage, read> actions: array<f32>;

@compute @workgroup_size(${WORKGROUP}) fn sense(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= arrayLength(&particles)) { return; }
  let particle = particles[i];
  let seen = f32((scene.frame + i) % ${SIGHT_EVERY}u == 0u);
  let goal = scene.targets[i % arrayLength(&scene.targets)].position + particle.home;
  let way = seen * (goal - particle.position);
  let at = ${SENSES}u * i;
  senses[at] = way.x;
  senses[at + 1u] = way.y;
  senses[at + 2u] = seen;
  senses[at + 3u] = particle.velocity.x;
  senses[at + 4u] = particle.velocity.y;
  senses[at + 5u] = particle.radius;
  senses[at + 6u] = particle.direction;
}

@compute @workgroup_size(${WORKGROUP}) fn advance(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= arrayLength(&particles)) { return; }
  var particle = particles[i];
  let action = vec2f(actions[${ACTIONS}u * i], actions[${ACTIONS}u * i + 1u]);
  let acceleration = ${STRONGEST} * action / max(1.0, length(action));
  particle.velocity += ${STEP} * (acceleration - ${DRAG} * particle.velocity);
  particle.position += ${STEP} * particle.velocity;
  particles[i] = particle;
}`;

export type SwarmPass = 'sense' | 'advance';

/** The farthest home. */
const SPREAD = 0.3;
/** The narrowest and the widest orbit. */
const RADII = [0.06, 0.4] as const;

/** A particle at rest somewhere in a view, as its buffer has it. @param view Half its width and half its height. */
export function someParticle(random: Random, view: Point): number[] {
  const position = [random.uniform(-view.x, view.x), random.uniform(-view.y, view.y)];
  // The square root spreads the homes evenly over a disc.
  const [distance, angle] = [SPREAD * Math.sqrt(random.uniform(0, 1)), random.uniform(0, 2 * Math.PI)];
  const home = [distance * Math.cos(angle), distance * Math.sin(angle)];
  const direction = random.uniform(0, 1) < 0.5 ? -1 : 1;
  return [...position, 0, 0, ...home, random.uniform(...RADII), direction];
}

export class Swarm {
  readonly count: number;
  /** PARTICLE_BYTES each. */
  readonly particles: GPUBuffer;
  readonly scene: GPUBuffer;
  /** (count, SENSES), written by `sense`. */
  readonly senses: GPUBuffer;
  /** (count, ACTIONS), read by `advance`. */
  readonly actions: GPUBuffer;
  readonly #device: GPUDevice;
  readonly #pipelines: Readonly<Record<SwarmPass, GPUComputePipeline>>;
  readonly #bindings: GPUBindGroup;
  readonly #sceneData: ArrayBuffer;

  /** @param targets How many there are: particle i is after target i % targets. */
  constructor(device: GPUDevice, particles: readonly number[][], targets = 1) {
    this.#device = device;
    this.count = particles.length;
    const { COPY_DST, COPY_SRC, STORAGE, VERTEX } = GPUBufferUsage;
    // A tensor's memory is a multiple of 16 bytes.
    const buffer = (bytes: number, more = 0): GPUBuffer =>
      device.createBuffer({ size: 16 * Math.ceil(bytes / 16), usage: STORAGE | COPY_SRC | COPY_DST | more });
    this.particles = device.createBuffer({
      size: PARTICLE_BYTES * this.count,
      usage: STORAGE | VERTEX | COPY_SRC | COPY_DST,
    });
    device.queue.writeBuffer(this.particles, 0, Float32Array.from(particles.flat()));
    this.#sceneData = new ArrayBuffer(SCENE_BYTES + TARGET_BYTES * targets);
    this.scene = device.createBuffer({ size: this.#sceneData.byteLength, usage: STORAGE | COPY_DST });
    this.senses = buffer(4 * SENSES * this.count);
    this.actions = buffer(4 * ACTIONS * this.count);

    const visibility = GPUShaderStage.COMPUTE;
    const types = ['storage', 'read-only-storage', 'storage', 'read-only-storage'] as const;
    const layout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility, buffer: { type } })),
    });
    const module = device.createShaderModule({ code: CODE });
    const pipeline = (entryPoint: string): GPUComputePipeline =>
      device.createComputePipeline({
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint },
      });
    this.#pipelines = { sense: pipeline('sense'), advance: pipeline('advance') };
    this.#bindings = device.createBindGroup({
      layout,
      entries: [this.particles, this.scene, this.senses, this.actions].map((buffer, binding) => ({
        binding,
        resource: { buffer },
      })),
    });
  }

  /** Writes what changes from frame to frame. @param frame Counts from 0. */
  write(frame: number, targets: readonly { readonly position: Point; readonly velocity: Point }[]): void {
    new Uint32Array(this.#sceneData, 0, 1)[0] = frame % SIGHT_EVERY;
    const numbers = targets.flatMap(({ position, velocity }) => [
      position.x,
      position.y,
      velocity.x,
      velocity.y,
    ]);
    new Float32Array(this.#sceneData, SCENE_BYTES).set(numbers);
    this.#device.queue.writeBuffer(this.scene, 0, this.#sceneData);
  }

  /** Records a pass: `sense` writes the senses, `advance` reads the actions and moves the particles. */
  encode(encoder: GPUCommandEncoder, name: SwarmPass): void {
    const pass = encoder.beginComputePass({ label: name });
    pass.setPipeline(this.#pipelines[name]);
    pass.setBindGroup(0, this.#bindings);
    pass.dispatchWorkgroups(Math.ceil(this.count / WORKGROUP));
    pass.end();
  }

  destroy(): void {
    for (const buffer of [this.particles, this.scene, this.senses, this.actions]) buffer.destroy();
  }
}
