// What the simulation, the renderer, the teacher and the controller agree on. Lengths are in units of half the shorter side of the
// view, times in seconds; the target and the particles share one plane, y upwards.

/** Seconds of a frame. */
export const STEP = 1 / 60;
/** A particle sees its goal in one frame of so many; in between it has only the memory of its GRU. */
export const SIGHT_EVERY = 16;
/** The length of the acceleration that an action of length 1 asks for; longer actions count as 1. */
export const STRONGEST = 8;
/** The acceleration against a velocity of 1. */
export const DRAG = 0.8;

/** Numbers in an observation: the way to the goal (2), whether it is seen, the velocity (2), the orbit's radius and direction. */
export const SENSES = 7;
/** Numbers in an action: an acceleration. */
export const ACTIONS = 2;

/** Bytes of a particle in its buffer. */
export const PARTICLE_BYTES = 32;
/** A particle likes to circle about its goal, which is off the target by `home`; `direction` is 1 or -1. */
export const PARTICLE_WGSL = /* wgsl */ `
struct Particle { position: vec2f, velocity: vec2f, home: vec2f, radius: f32, direction: f32 }`;

/** Bytes of the scene before its targets, and of each of these. */
export const SCENE_BYTES = 8;
export const TARGET_BYTES = 16;
export const SCENE_WGSL = /* wgsl */ `
struct Target { position: vec2f, velocity: vec2f }
struct Scene { frame: u32, targets: array<Target> }`;

export const WORKGROUP = 64;

export interface Point {
  readonly x: number;
  readonly y: number;
}
