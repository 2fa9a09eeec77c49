// A rule that steers a particle into its orbit. It knows all: where its goal is in every frame, and its velocity.
// The controller learns to do the same from what a particle senses. Only the training uses this.
import type { Swarm } from './swarm.ts';
import { ACTIONS, DRAG, PARTICLE_WGSL, SCENE_WGSL, STRONGEST, WORKGROUP } from './world.ts';

const CODE = /* wgsl */ `
${PARTICLE_WGSL}
${SCENE_WGSL}
@group(0) @binding(0) var<storage, read> particles: array<Particle>;
@group(0) @binding(1) var<storage, read> scene: Scene;
@group(0) @binding(2) var<storage, read_write> lessons: array<f32>;

@compute @workgroup_size(${WORKGROUP}) fn teach(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= arrayLength(&particles)) { return; }
  let particle = particles[i];
  let aim = scene.targets[i % arrayLength(&scene.targets)];
  let way = aim.position + particle.home - particle.position;
  let distance = max(length(way), 0.01);
  let inward = way / distance;
  let along = particle.direction * vec2f(-inward.y, inward.x);
  let speed = 0.4 + 1.2 * particle.radius;
  let approach = clamp(2.5 * (distance - particle.radius), -1.0, 1.5);
  let wanted = aim.velocity + speed * along + approach * inward;
  let centripetal = speed * speed / max(distance, particle.radius) * inward;
  let acceleration = 4.0 * (wanted - particle.velocity) + ${DRAG} * wanted + centripetal;
  let action = acceleration / ${STRONGEST};
  let lesson = action / max(1.0, length(action));
  lessons[${ACTIONS}u * i] = lesson.x;
  lessons[${ACTIONS}u * i + 1u] = lesson.y;
}`;

export class Teacher {
  /** (count, ACTIONS), written by `encode`. */
  readonly lessons: GPUBuffer;
  readonly #pipeline: GPUComputePipeline;
  readonly #bindings: GPUBindGroup;
  readonly #count: number;

  constructor(device: GPUDevice, swarm: Swarm) {
    this.#count = swarm.count;
    this.lessons = device.createBuffer({
      size: swarm.actions.size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
    });
    this.#pipeline = device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: CODE }) },
    });
    this.#bindings = device.createBindGroup({
      layout: this.#pipeline.getBindGroupLayout(0),
      entries: [swarm.particles, swarm.scene, this.lessons].map((buffer, binding) => ({
        binding,
        resource: { buffer },
      })),
    });
  }

  encode(encoder: GPUCommandEncoder): void {
    const pass = encoder.beginComputePass();
    pass.setPipeline(this.#pipeline);
    pass.setBindGroup(0, this.#bindings);
    pass.dispatchWorkgroups(Math.ceil(this.#count / WORKGROUP));
    pass.end();
  }
}
