// The canvas as a place in the world: its size, its colours, and where the pointer is.
import type { Color, Look } from './renderer.ts';
import type { Point } from './world.ts';

export class Stage {
  /** Half the width and half the height of what is shown; the shorter is 1. */
  half: Point = { x: 1, y: 1 };
  /** The size of a pixel of CSS in the units of the world. */
  pixel = 1;
  /** Undefined unless it is over the canvas. */
  pointer: Point | undefined;
  readonly #canvas: HTMLCanvasElement;

  /** @param onChange Called when the size or the colours have changed. */
  constructor(canvas: HTMLCanvasElement, onChange: () => void) {
    this.#canvas = canvas;
    this.#measure();
    new ResizeObserver(() => {
      this.#measure();
      onChange();
    }).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange);
    for (const event of ['pointerdown', 'pointermove'] as const)
      canvas.addEventListener(event, ({ offsetX, offsetY }) => {
        const [x, y] = [offsetX - canvas.clientWidth / 2, canvas.clientHeight / 2 - offsetY];
        this.pointer = { x: x * this.pixel, y: y * this.pixel };
      });
    for (const event of ['pointerleave', 'pointercancel'] as const)
      canvas.addEventListener(event, () => {
        this.pointer = undefined;
      });
  }

  #measure(): void {
    const { clientWidth, clientHeight } = this.#canvas;
    const shorter = Math.min(clientWidth, clientHeight);
    this.half = { x: clientWidth / shorter, y: clientHeight / shorter };
    this.pixel = 2 / shorter;
    this.#canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.#canvas.height = Math.round(clientHeight * devicePixelRatio);
  }

  /** The colours of the page's style. @param count More particles are fainter. */
  look(count: number): Look {
    const style = getComputedStyle(this.#canvas);
    const color = (name: string): Color => {
      const value = style.getPropertyValue(name).trim();
      const parts = [1, 3, 5].map((at) => parseInt(value.slice(at, at + 2), 16) / 255);
      if (!/^#[0-9a-f]{6}$/i.test(value))
        throw new Error(`page: expected ${name} to be a colour #rrggbb, got "${value}"`);
      return parts as unknown as Color;
    };
    return {
      colors: [color('--accent'), color('--reference'), color('--ink')],
      opacity: Math.min(0.9, 0.75 * (10_000 / count) ** 0.4),
    };
  }
}
