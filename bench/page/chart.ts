// The chart: bars of time on a log scale, a block for each workload. On the page it takes the page's colours; a file of it
// stands alone.
import * as Plot from '@observablehq/plot';

import { OWN, ownTime, spreadOf, type Results, type Row } from '../results.ts';
import { formatRho, milliseconds, times } from '../speed_table.ts';
import { describeWorkload, type Workload } from '../workloads.ts';

// Variables of the page; elsewhere the colour beside them.
const PAPER = 'var(--card, #ffffff)';
const INK = 'var(--ink, #1b2631)';
const MUTED = 'var(--muted, #58646f)';
const LINE = 'var(--line, #dfdcd2)';

// Colours of about the same lightness, distinct with any colour vision and in both themes.
const COLORS: Readonly<Record<string, string>> = {
  gatewise: '#1a8a94',
  'TF.js': '#d07a2c',
  'ONNX Runtime': '#7a6fc0',
  'jax-js': '#c0567e',
};

/** A contestant's colour is its library's. */
export const colorOf = (contestant: string): string =>
  Object.entries(COLORS).find(([library]) => contestant.startsWith(library))?.[1] ?? '#7d8790';

const ABOUT = `Less is better; log scale. Times beside ${OWN}, and ρ, the floor over the time.`;
const LEGEND =
  'Bar: median, of streams the latency of a step. Line: all samples. Tick: the floor of the two ways that WebGPU has.';
const WIDTH = 900;
const LEFT = 162;
const RIGHT = 168;
const TOP = 64;
const BOTTOM = 54;
const BAR = 19;
/** Above the bars of a workload, for its name. */
const TITLE = 30;
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** The label of a bar: the time, its ratio to gatewise's, and ρ if there is one. */
function textOf(row: Row, time: number, own: number | undefined): string {
  const relative = own === undefined || row.contestant === OWN ? [] : [times(time / own)];
  const rho = row.rho === undefined ? [] : [`ρ ${formatRho(row.rho)}`];
  return [`${milliseconds(time)} ms`, ...relative, ...rho].join(' · ');
}

function barsOf({ workloads, rows }: Results) {
  return workloads.flatMap((workload) => {
    const own = ownTime(workload, rows);
    return rows.flatMap((row) => {
      const spread = row.workload === workload.name ? spreadOf(workload, row) : undefined;
      if (spread === undefined) return [];
      const { median: time, low, high } = spread;
      const { contestant, rho = Number.NaN } = row;
      const text = textOf(row, time, own);
      return [{ workload: workload.name, contestant, time, low, high, floor: rho * time, text }];
    });
  });
}

type Bar = ReturnType<typeof barsOf>[number];

/** Whole powers of ten around all that is drawn, and the ticks between them. */
function scaleOf(bars: readonly Bar[]): { readonly domain: [number, number]; readonly ticks: number[] } {
  const all = bars.flatMap(({ low, high, floor }) => [low, high, floor]).filter((value) => value > 0);
  const values = all.length === 0 ? [1] : all;
  const first = Math.floor(Math.log10(Math.min(...values) * 0.8));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  const powers = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  const ticks = powers.length > 3 ? powers : powers.flatMap((power) => [power, 2 * power, 5 * power]);
  return { domain: [10 ** first, 10 ** last], ticks: ticks.filter((tick) => tick < 1.001 * 10 ** last) };
}

export function drawChart(results: Results): SVGElement {
  const { adapter, date, workloads, rows } = results;
  const shown = workloads.filter(({ name }) => rows.some(({ workload }) => workload === name));
  const contestants = [...new Set(rows.map(({ contestant }) => contestant))];
  const bars = barsOf(results);
  const { domain, ticks } = scaleOf(bars);
  const title = `Milliseconds per run on ${adapter.description.replace(/^WebGPU: /, '')}`;
  const place = { fy: 'workload', y: 'contestant' };
  const left = { ...place, frameAnchor: 'left' } as const;
  const head = { fy: 'name', frameAnchor: 'top-left', dy: 8 } as const;
  const above = { facet: 'super', dx: 8 - LEFT, frameAnchor: 'top-left' } as const;
  const bar = { ...place, x1: domain[0], x2: 'time' };
  const svg = Plot.plot({
    ariaLabel: title,
    width: WIDTH,
    height: TOP + (TITLE + BAR * contestants.length) * shown.length + BOTTOM,
    marginLeft: LEFT,
    marginRight: RIGHT,
    marginTop: TOP,
    marginBottom: BOTTOM,
    style: { fontFamily: FONT, fontSize: '12px', color: INK, background: PAPER },
    x: { type: 'log', domain, label: null, axis: null },
    // Space for the name above the first bar of each block.
    y: { domain: ['', ...contestants], axis: null, padding: 0.22 },
    fy: { domain: shown.map(({ name }) => name), axis: null, padding: 0 },
    marks: [
      Plot.gridX({ ticks, stroke: LINE, strokeOpacity: 1 }),
      Plot.axisX({
        anchor: 'bottom',
        label: null,
        color: MUTED,
        tickSize: 0,
        ticks,
        tickFormat: (value: number) => value.toLocaleString('en-US', { maximumSignificantDigits: 2 }),
      }),
      // Below the translucent ones, so that no grid shows through.
      Plot.barX(bars, { ...bar, fill: PAPER }),
      Plot.barX(bars, {
        ...bar,
        fill: ({ contestant }: Bar) => colorOf(contestant),
        fillOpacity: ({ contestant }: Bar) => (/ (wasm|cpu)$/.test(contestant) ? 0.55 : 1),
        rx2: 2,
      }),
      Plot.ruleY(bars, { ...place, x1: 'low', x2: 'high', stroke: INK, strokeWidth: 1.5 }),
      Plot.tickX(bars, { ...place, x: 'floor', stroke: INK, strokeWidth: 2, insetTop: -1, insetBottom: -1 }),
      Plot.text(bars, {
        ...place,
        x: ({ high, floor }: Bar) => Math.max(high, floor || 0),
        text: 'text',
        textAnchor: 'start',
        dx: 6,
        fill: INK,
        fontVariant: 'tabular-nums',
        stroke: PAPER,
        strokeWidth: 3,
      }),
      Plot.text(
        rows.filter(({ timing }) => timing === undefined),
        { ...left, text: 'status', dx: 6, fill: MUTED, fontStyle: 'italic' },
      ),
      Plot.axisY({ anchor: 'left', ticks: contestants, label: null, tickSize: 0, color: INK }),
      Plot.text(shown, { ...head, dx: 8 - LEFT, text: 'name', fontWeight: 600, fill: INK }),
      Plot.text(shown, { ...head, text: (workload: Workload) => describeWorkload(workload), fill: MUTED }),
      Plot.text([title], { ...above, dy: -56, fontSize: 16, fontWeight: 600, fill: INK }),
      Plot.text([`${ABOUT} ${date.slice(0, 10)}`], { ...above, dy: -32, fill: MUTED }),
      Plot.text([LEGEND], { ...above, frameAnchor: 'bottom-left', dy: 42, fill: MUTED }),
    ],
  });
  // A picture with a label of its own must not have labelled parts.
  for (const part of svg.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  svg.setAttribute('role', 'img');
  // The chart in words, for whom it is read aloud.
  const words = shown.map(({ name }) => {
    const drawn = bars.filter(({ workload }) => workload === name);
    return `${name}: ${drawn.map(({ contestant, text }) => `${contestant} ${text}`).join('; ')}.`;
  });
  const description = document.createElementNS('http://www.w3.org/2000/svg', 'desc');
  description.textContent = words.join(' ');
  svg.prepend(description);
  return svg as SVGElement;
}

/** As a file, in the light colours. */
export const svgText = (picture: SVGElement): string =>
  new XMLSerializer().serializeToString(picture).replaceAll(/var\(--\w+, (#\w+)\)/g, '$1');
