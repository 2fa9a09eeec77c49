// The picture: each particle as a streak along its way, drawn from its buffer, and a ring about the target.
import type { Swarm } from './swarm.ts';
import { PARTICLE_BYTES, SCENE_WGSL, type Point } from './world.ts';

/** Seconds of its way that a streak shows. */
const STREAK = 0.045;
const CODE = /* wgsl */ `
${SCENE_WGSL}
struct View { scale: vec2f, pixel: f32, opacity: f32, left: vec4f, right: vec4f, target_color: vec4f }
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> scene: Scene;

struct Corner { @builtin(position) position: vec4f, @location(0) color: vec4f, @location(1) at: vec2f }

/** From -1 to 1 in both directions. */
fn corner_of(index: u32) -> vec2f { return vec2f(f32(index & 1u), f32(index >> 1u)) * 2.0 - 1.0; }
fn on_screen(point: vec2f) -> vec4f { return vec4f(point * view.scale, 0.0, 1.0); }

@vertex fn streak(@builtin(vertex_index) index: u32, @location(0) position: vec2f, @location(1) velocity: vec2f,
                  @location(2) direction: f32) -> Corner {
  let corner = corner_of(index);
  let speed = max(length(velocity), 1e-4);
  let along = velocity / speed;
  let half_length = 0.5 * ${STREAK} * speed + view.pixel;
  let middle = position - along * 0.5 * ${STREAK} * speed;
  let point = middle + half_length * corner.x * along + view.pixel * corner.y * vec2f(-along.y, along.x);
  return Corner(on_screen(point), select(view.right, view.left, direction > 0.0), corner);
}
@fragment fn streak_color(corner: Corner) -> @location(0) vec4f {
  // Strong at the head, thin at the tail and towards the sides.
  let alpha = view.opacity * (0.5 + 0.5 * corner.at.x) * (1.0 - corner.at.y * corner.at.y);
  return vec4f(corner.color.rgb, 1.0) * alpha;
}

@vertex fn ring(@builtin(vertex_index) index: u32) -> Corner {
  let corner = corner_of(index);
  return Corner(on_screen(scene.targets[0].position + 10.0 * view.pixel * corner), view.target_color, 10.0 * corner);
}
@fragment fn ring_color(corner: Corner) -> @location(0) vec4f {
  let distance = length(corner.at);
  let alpha = max(clamp(1.6 - abs(distance - 7.5), 0.0, 1.0), clamp(3.0 - distance, 0.0, 1.0));
  return vec4f(corner.color.rgb, 1.0) * alpha;
}`;

const FLOATS_OF_VIEW = 16;

export interface Look {
  /** Red, green and blue, from 0 to 1, of the particles that circle to the left, to the right, and of the target. */
  readonly colors: readonly [left: Color, right: Color, target: Color];
  readonly opacity: number;
}
export type Color = readonly [number, number, number];

export class Renderer {
  readonly #device: GPUDevice;
  readonly #context: GPUCanvasContext;
  readonly #view: GPUBuffer;
  readonly #layout: GPUBindGroupLayout;
  readonly #pipelines: Readonly<Record<'streak' | 'ring', GPURenderPipeline>>;
  #swarm: Swarm | undefined;
  #bindings: GPUBindGroup | undefined;

  constructor(device: GPUDevice, context: GPUCanvasContext) {
    this.#device = device;
    this.#context = context;
    const format = navigator.gpu.getPreferredCanvasFormat();
    context.configure({ device, format, alphaMode: 'premultiplied' });
    this.#view = device.createBuffer({
      size: 4 * FLOATS_OF_VIEW,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    const { VERTEX, FRAGMENT } = GPUShaderStage;
    this.#layout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: VERTEX | FRAGMENT, buffer: { type: 'uniform' } },
        { binding: 1, visibility: VERTEX, buffer: { type: 'read-only-storage' } },
      ],
    });
    const module = device.createShaderModule({ code: CODE });
    const over: GPUBlendComponent = { srcFactor: 'one', dstFactor: 'one-minus-src-alpha' };
    const pipeline = (name: string, buffers: GPUVertexBufferLayout[]): GPURenderPipeline =>
      device.createRenderPipeline({
        layout: device.createPipelineLayout({ bindGroupLayouts: [this.#layout] }),
        vertex: { module, entryPoint: name, buffers },
        fragment: {
          module,
          entryPoint: `${name}_color`,
          targets: [{ format, blend: { color: over, alpha: over } }],
        },
        primitive: { topology: 'triangle-strip' },
      });
    const particle: GPUVertexBufferLayout = {
      arrayStride: PARTICLE_BYTES,
      stepMode: 'instance',
      attributes: [
        { shaderLocation: 0, offset: 0, format: 'float32x2' },
        { shaderLocation: 1, offset: 8, format: 'float32x2' },
        { shaderLocation: 2, offset: 28, format: 'float32' },
      ],
    };
    this.#pipelines = { streak: pipeline('streak', [particle]), ring: pipeline('ring', []) };
  }

  /** Sets what is drawn. */
  show(swarm: Swarm): void {
    this.#swarm = swarm;
    this.#bindings = this.#device.createBindGroup({
      layout: this.#layout,
      entries: [this.#view, swarm.scene].map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
  }

  /**
   * Sets where and how it is drawn.
   * @param half Half the width and half the height of the view, in the units of the world.
   * @param pixel The size of a pixel of CSS in these units.
   */
  look(half: Point, pixel: number, { colors, opacity }: Look): void {
    const numbers = [1 / half.x, 1 / half.y, pixel, opacity, ...colors.flatMap((color) => [...color, 1])];
    this.#device.queue.writeBuffer(this.#view, 0, Float32Array.from(numbers));
  }

  /** Records the pass that draws on the canvas. */
  encode(encoder: GPUCommandEncoder): void {
    if (this.#swarm === undefined) return;
    const view = this.#context.getCurrentTexture().createView();
    const clearValue = [0, 0, 0, 0];
    const pass = encoder.beginRenderPass({
      colorAttachments: [{ view, clearValue, loadOp: 'clear', storeOp: 'store' }],
    });
    pass.setBindGroup(0, this.#bindings);
    pass.setPipeline(this.#pipelines.streak);
    pass.setVertexBuffer(0, this.#swarm.particles);
    pass.draw(4, this.#swarm.count);
    pass.setPipeline(this.#pipelines.ring);
    pass.draw(4);
    pass.end();
  }
}
