// The chart: bars of time on a log scale, a block for each workload; as a picture that stands alone, in a README too.
import * as Plot from '@observablehq/plot';

import { OWN, ownTime } from '../columns.ts';
import { spreadOf, timeOf, type Results, type Row } from '../results.ts';
import { formatRho, milliseconds, times } from '../speed_table.ts';
import { describeWorkload, type Workload } from '../workloads.ts';

export interface Theme {
  readonly paper: string;
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
}

/** Of a picture that stands alone. */
export const light: Theme = { paper: '#ffffff', ink: '#1b2631', muted: '#58646f', line: '#dfdcd2' };
// On the page, on a card.
export const lightCard: Theme = { ...light, paper: '#fffefb' };
export const darkCard: Theme = { paper: '#161e25', ink: '#e3e8eb', muted: '#9ba8b2', line: '#29343d' };

// Of about the same lightness, told apart with any eyes; in both themes.
const COLORS: readonly (readonly [library: string, color: string])[] = [
  ['gatewise', '#1a8a94'],
  ['TF.js', '#d07a2c'],
  ['ONNX Runtime', '#7a6fc0'],
  ['jax-js', '#c0567e'],
];
const OTHER = '#7d8790';

/** A contestant's colour is its library's. */
export const colorOf = (contestant: string): string =>
  COLORS.find(([library]) => contestant.startsWith(library))?.[1] ?? OTHER;

const WIDTH = 900;
const LEFT = 162;
const RIGHT = 168;
const BAR = 19;
/** Above the bars of a workload, for its name. */
const TITLE = 30;
const TOP = 64;
const BOTTOM = 54;
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

interface Bar {
  readonly block: string;
  readonly contestant: string;
  readonly time: number;
  readonly low: number;
  readonly high: number;
  readonly floor: number | undefined;
  readonly text: string;
}

type Content = Pick<Results, 'adapter' | 'date' | 'workloads' | 'rows'>;

/** Two rows of the same workload are compared by ratio, and never without how far the own one is from its limit. */
function textOf(row: Row, time: number, own: number | undefined): string {
  const relative = own === undefined || row.contestant === OWN ? undefined : times(time / own);
  const rho = row.rho === undefined ? undefined : `ρ ${formatRho(row.rho)}`;
  return [`${milliseconds(time)} ms`, relative, rho].filter((part) => part !== undefined).join(' · ');
}

function barsOf({ workloads, rows }: Content): readonly Bar[] {
  return workloads.flatMap((workload) => {
    const own = ownTime(workload, rows);
    return rows.flatMap((row) => {
      if (row.workload !== workload.name) return [];
      const spread = spreadOf(workload, row);
      if (spread === undefined) return [];
      const { median: time, low, high } = spread;
      const text = textOf(row, time, own);
      return [
        { block: row.workload, contestant: row.contestant, time, low, high, floor: row.floor?.time, text },
      ];
    });
  });
}

/** Whole powers of ten around all that is drawn. */
function domainOf(bars: readonly Bar[]): readonly [number, number] {
  const all = bars.flatMap(({ time, low, high, floor }) => [
    time,
    low,
    high,
    ...(floor === undefined ? [] : [floor]),
  ]);
  const positive = all.filter((value) => value > 0);
  if (positive.length === 0) return [0.1, 10];
  const low = 10 ** Math.floor(Math.log10(Math.min(...positive) * 0.8));
  return [low, Math.max(10 * low, 10 ** Math.ceil(Math.log10(Math.max(...positive))))];
}

/** Whole powers of ten; over few of them also what lies between. */
function ticksOf(low: number, high: number): readonly number[] {
  const decades = Math.round(Math.log10(high / low));
  const powers = Array.from({ length: decades + 1 }, (_, i) => low * 10 ** i);
  const ticks = decades > 2 ? powers : powers.flatMap((power) => [power, 2 * power, 5 * power]);
  // As numbers are written: 0.1 and not 0.10000000000000002.
  return ticks.filter((tick) => tick <= high * 1.001).map((tick) => Number(tick.toPrecision(2)));
}

/** What the picture says, for whom it is read aloud. */
function describe({ workloads, rows }: Content): string {
  const lines = workloads.map((workload) => {
    const own = ownTime(workload, rows);
    const parts = rows
      .filter((row) => row.workload === workload.name)
      .map((row) => {
        const time = timeOf(workload, row);
        return `${row.contestant} ${time === undefined ? row.status : textOf(row, time, own)}`;
      });
    return `${workload.name}: ${parts.join('; ')}.`;
  });
  return lines.join(' ');
}

function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>>,
  ...children: readonly (Node | string)[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** The picture in a theme's colours, with all that it needs in itself. */
export function drawChart(content: Content, theme: Theme): SVGSVGElement {
  const { adapter, date, workloads, rows } = content;
  const shown = workloads.filter(({ name }) => rows.some(({ workload }) => workload === name));
  const contestants = [...new Set(rows.map(({ contestant }) => contestant))];
  const bars = barsOf(content);
  const [low, high] = domainOf(bars);
  const ticks = ticksOf(low, high);
  const blockHeight = TITLE + BAR * contestants.length;
  const height = TOP + blockHeight * shown.length + BOTTOM;

  const place = { fy: 'block', y: 'contestant' } as const;
  const plot = Plot.plot({
    width: WIDTH,
    height: height - TOP,
    marginLeft: LEFT,
    marginRight: RIGHT,
    marginTop: 0,
    marginBottom: BOTTOM,
    style: { fontFamily: FONT, fontSize: '12px', color: theme.ink, background: 'none' },
    x: { type: 'log', domain: [low, high], label: null, axis: null },
    // Space for the name above the first bar of each block.
    y: { domain: ['', ...contestants], axis: null, padding: 0.22 },
    fy: { domain: shown.map(({ name }) => name), axis: null, padding: 0 },
    marks: [
      Plot.gridX({ ticks, stroke: theme.line, strokeOpacity: 1 }),
      Plot.axisX({
        anchor: 'bottom',
        label: null,
        color: theme.muted,
        tickSize: 0,
        ticks,
        tickFormat: (value: number) => value.toLocaleString('en-US', { maximumSignificantDigits: 2 }),
      }),
      // Below the lighter ones, so that no grid shows through.
      Plot.barX(bars, { ...place, x1: low, x2: 'time', fill: theme.paper }),
      Plot.barX(bars, {
        ...place,
        x1: low,
        x2: 'time',
        fill: ({ contestant }: Bar) => colorOf(contestant),
        fillOpacity: ({ contestant }: Bar) => (contestant.endsWith('webgpu') ? 1 : 0.55),
        rx2: 2,
      }),
      Plot.ruleY(bars, {
        ...place,
        x1: 'low',
        x2: 'high',
        stroke: theme.ink,
        strokeWidth: 1.5,
      }),
      Plot.tickX(
        bars.filter(({ floor }) => floor !== undefined),
        {
          ...place,
          x: 'floor',
          stroke: theme.ink,
          strokeWidth: 2,
          insetTop: -1,
          insetBottom: -1,
        },
      ),
      Plot.text(bars, {
        ...place,
        x: ({ time, high, floor }: Bar) => Math.max(time, high, floor ?? 0),
        text: 'text',
        textAnchor: 'start',
        dx: 6,
        fill: theme.ink,
        fontVariant: 'tabular-nums',
        stroke: theme.paper,
        strokeWidth: 3,
      }),
      Plot.text(
        rows.filter(({ timing }) => timing === undefined),
        {
          fy: 'workload',
          y: 'contestant',
          frameAnchor: 'left',
          text: 'status',
          dx: 6,
          fill: theme.muted,
          fontStyle: 'italic',
        },
      ),
      ...[true, false].map((own) =>
        Plot.text(
          rows.filter(({ contestant }) => (contestant === OWN) === own),
          {
            fy: 'workload',
            y: 'contestant',
            frameAnchor: 'left',
            textAnchor: 'end',
            text: 'contestant',
            dx: -8,
            fill: theme.ink,
            fontWeight: own ? 600 : 400,
          },
        ),
      ),
      Plot.text(shown, {
        fy: 'name',
        frameAnchor: 'top-left',
        dx: 8 - LEFT,
        dy: 8,
        text: ({ name }: Workload) => name,
        fontWeight: 600,
        fill: theme.ink,
      }),
      Plot.text(shown, {
        fy: 'name',
        frameAnchor: 'top-left',
        dy: 8,
        text: (workload: Workload) => describeWorkload(workload),
        fill: theme.muted,
      }),
    ],
  });
  plot.setAttribute('y', String(TOP));
  // Names of parts, which a picture that is named as a whole must not have.
  for (const part of plot.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');

  const title = `Milliseconds per run on ${adapter.description.replace(/^WebGPU: /, '')}`;
  const text = (
    x: number,
    y: number,
    size: number,
    fill: string,
    weight: number,
    words: string,
  ): SVGTextElement => svg('text', { x, y, fill, 'font-size': size, 'font-weight': weight }, words);
  return svg(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      role: 'img',
      'aria-labelledby': 'chart-title chart-description',
      'font-family': FONT,
    },
    svg('title', { id: 'chart-title' }, title),
    svg('desc', { id: 'chart-description' }, describe(content)),
    svg('rect', { width: WIDTH, height, fill: theme.paper }),
    text(8, 22, 16, theme.ink, 600, title),
    text(
      8,
      42,
      12,
      theme.muted,
      400,
      `Less is better; log scale. Times beside gatewise webgpu, and ρ, the floor over the time. ${date.slice(0, 10)}`,
    ),
    plot,
    text(
      8,
      height - 12,
      12,
      theme.muted,
      400,
      'Bar: median, of streams the latency of a step. Line: all samples. Tick: the floor of the two ways that WebGPU has.',
    ),
  );
}

export const svgText = (picture: SVGSVGElement): string => new XMLSerializer().serializeToString(picture);
