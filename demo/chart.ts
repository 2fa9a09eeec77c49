// The loss curve: each step in a light colour, the smoothed loss over it, and dashed lines for the baselines.
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

import type { Baselines } from './text.ts';
import type { StepResult } from './training.ts';

// Beyond this the chart drops every second point, and from then on every second step. The points that stay are as measured.
const MAX_POINTS = 8000;
// A long label, and one that fits on a phone.
const BASELINES: Readonly<Record<keyof Baselines, readonly [string, string]>> = {
  uniform: ['every character equally likely', 'equal odds'],
  frequency: ['how often each occurs', 'counts'],
  pairs: ['knowing the one before', 'pairs'],
};
const NARROW = 420;

export class Chart {
  readonly #host: HTMLElement;
  #plot: uPlot;
  #baselines: Baselines | undefined;
  #steps: number[] = [];
  #losses: number[] = [];
  #smoothed: number[] = [];
  #stride = 1;
  #dirty = false;

  constructor(host: HTMLElement) {
    this.#host = host;
    this.#plot = this.#make();
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(host);
    // uPlot reads its colours only when it is made.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#plot.destroy();
      this.#plot = this.#make();
    });
  }

  /** An empty chart for a text. */
  reset(baselines: Baselines): void {
    this.#baselines = baselines;
    this.#steps = [];
    this.#losses = [];
    this.#smoothed = [];
    this.#stride = 1;
    this.#dirty = true;
    this.draw();
  }

  add({ step, loss, smoothed }: StepResult): void {
    if (step % this.#stride !== 0) return;
    this.#steps.push(step);
    this.#losses.push(loss);
    this.#smoothed.push(smoothed);
    this.#dirty = true;
    if (this.#steps.length < MAX_POINTS) return;
    this.#stride *= 2;
    const stays = this.#steps.map((kept) => kept % this.#stride === 0);
    const thin = (values: number[]): number[] => values.filter((_, i) => stays[i]);
    this.#losses = thin(this.#losses);
    this.#smoothed = thin(this.#smoothed);
    this.#steps = thin(this.#steps);
  }

  /** Draws the steps that were added since the last call. */
  draw(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    this.#plot.setData(this.#data());
  }

  #data(): uPlot.AlignedData {
    return [this.#steps, this.#losses, this.#smoothed];
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(200, this.#host.clientWidth), height: Math.max(160, this.#host.clientHeight) };
  }

  #make(): uPlot {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const font = `12px ${colour('sans')}`;
    const axis: uPlot.Axis = {
      stroke: colour('muted'),
      font,
      grid: { stroke: colour('line'), width: 1 },
      ticks: { show: false },
    };
    const options: uPlot.Options = {
      ...this.#size(),
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: {
          time: false,
          range: (_, min, max) => [min > 1 ? min : 0, Math.max(max, (min > 1 ? min : 0) + 20)],
        },
        y: { range: (_, min, max) => this.#range(min, max) },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          values: (_, ticks) => ticks.map((tick) => tick.toLocaleString('en')),
        },
        { ...axis, size: 36, values: (_, ticks) => ticks.map((tick) => tick.toFixed(1)) },
      ],
      series: [
        {},
        { stroke: colour('raw'), width: 1, points: { show: false } },
        { stroke: colour('accent'), width: 2.5, points: { show: false } },
      ],
      hooks: {
        drawAxes: [(plot) => this.#drawBaselines(plot, colour('reference'))],
        draw: [(plot) => this.#labelBaselines(plot, colour('reference'), colour('card'), font)],
      },
    };
    return new uPlot(options, this.#data(), this.#host);
  }

  #range(min: number | null, max: number | null): [number, number] {
    const top = Math.max(max ?? 0, (this.#baselines?.uniform ?? 4) + 0.4);
    const bottom = Math.min(min ?? Infinity, (this.#baselines?.pairs ?? 2) - 0.5);
    return [Math.max(0, Math.floor(bottom * 4) / 4), top];
  }

  /** Beneath the curve. */
  #drawBaselines(plot: uPlot, colour: string): void {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([4 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
    for (const { y } of this.#baselinePlaces(plot)) {
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Above the curve, in a halo of the background. */
  #labelBaselines(plot: uPlot, colour: string, background: string, font: string): void {
    const { ctx, bbox } = plot;
    const ratio = uPlot.pxRatio;
    ctx.save();
    ctx.fillStyle = colour;
    ctx.strokeStyle = background;
    ctx.lineWidth = 5 * ratio;
    ctx.lineJoin = 'round';
    ctx.font = font.replace('12px', `${12 * ratio}px`);
    ctx.textAlign = 'right';
    for (const { words, y } of this.#baselinePlaces(plot)) {
      const at = [words, bbox.left + bbox.width - 4 * ratio, y - 7 * ratio] as const;
      ctx.strokeText(...at);
      ctx.fillText(...at);
    }
    ctx.restore();
  }

  #baselinePlaces(plot: uPlot): { words: string; y: number }[] {
    const baselines = this.#baselines;
    if (baselines === undefined) return [];
    return (Object.keys(BASELINES) as (keyof Baselines)[]).map((name) => ({
      words: `${BASELINES[name][this.#host.clientWidth < NARROW ? 1 : 0]}: ${baselines[name].toFixed(2)}`,
      y: Math.round(plot.valToPos(baselines[name], 'y', true)),
    }));
  }
}
