// What the particles are after: a point that follows another, smoothly and not too fast, or wanders about.
import type { Random } from '../../src/index.ts';
import { STEP, type Point } from './world.ts';

const FASTEST = 1.3;
/** Of the critically damped spring to the goal, per second. */
const STIFFNESS = 2.4;
/** The part of the view in which it wanders. */
const WANDERING = 0.7;
const SECONDS_PER_GOAL = [0.8, 3] as const;

export class Target {
  position: Point = { x: 0, y: 0 };
  velocity: Point = { x: 0, y: 0 };
  readonly #random: Random;
  #goal: Point = { x: 0, y: 0 };
  #seconds = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * Moves for one frame.
   * @param view Half the width and half the height of where it wanders.
   * @param goal What to follow; undefined to wander.
   */
  advance(view: Point, goal?: Point): void {
    this.#seconds -= STEP;
    if (goal !== undefined) {
      this.#goal = goal;
      this.#seconds = 0;
    } else if (this.#seconds <= 0) {
      const uniform = (half: number): number => this.#random.uniform(-WANDERING * half, WANDERING * half);
      this.#goal = { x: uniform(view.x), y: uniform(view.y) };
      this.#seconds = this.#random.uniform(...SECONDS_PER_GOAL);
    }
    const pull = (goal: number, position: number, velocity: number): number =>
      velocity + STEP * (STIFFNESS * STIFFNESS * (goal - position) - 2 * STIFFNESS * velocity);
    const x = pull(this.#goal.x, this.position.x, this.velocity.x);
    const y = pull(this.#goal.y, this.position.y, this.velocity.y);
    const scale = Math.min(1, FASTEST / Math.hypot(x, y));
    this.velocity = { x: scale * x, y: scale * y };
    this.position = {
      x: this.position.x + STEP * this.velocity.x,
      y: this.position.y + STEP * this.velocity.y,
    };
  }
}
