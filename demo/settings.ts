// The settings: one table for the controls of the page, its address and the options of the terminal.
import { GatewiseError } from '../src/core/errors.ts';

export const CELLS = ['lstm', 'gru', 'rnn'] as const;
export type CellName = (typeof CELLS)[number];

export interface Settings {
  readonly cell: CellName;
  readonly hidden: number;
  readonly layers: number;
  readonly embedding: number;
  readonly batch: number;
  readonly sequence: number;
  readonly lr: number;
  readonly seed: number;
}

export type NumberSetting = Exclude<keyof Settings, 'cell'>;

export interface NumberRange {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

/** In the order in which they are shown. */
export const NUMBERS: Readonly<Record<NumberSetting, NumberRange>> = {
  hidden: { label: 'Hidden size', min: 1, max: 2048, whole: true },
  layers: { label: 'Layers', min: 1, max: 8, whole: true },
  embedding: { label: 'Embedding size', min: 1, max: 1024, whole: true },
  batch: { label: 'Batch', min: 1, max: 1024, whole: true },
  sequence: { label: 'Sequence length', min: 1, max: 1024, whole: true },
  lr: { label: 'Learning rate', min: 0, max: 1, whole: false },
  seed: { label: 'Seed', min: 0, max: Number.MAX_SAFE_INTEGER, whole: true },
};

/** Found by trial: these learn most in ten minutes on a software adapter with two cores. */
export const DEFAULTS: Settings = {
  cell: 'lstm',
  hidden: 128,
  layers: 1,
  embedding: 32,
  batch: 16,
  sequence: 64,
  lr: 0.005,
  seed: 1,
};

/** The CPU backend is a slow reference: these make a model so small that one can watch it learn there. */
export const CPU_DEFAULTS: Settings = { ...DEFAULTS, hidden: 64, batch: 8, sequence: 32 };

/** Parses a setting's number. @throws GatewiseError `argument` if it is not a number, or out of range. */
export function parseNumber(name: NumberSetting, text: string): number {
  const { label, min, max, whole } = NUMBERS[name];
  const value = text.trim() === '' ? NaN : Number(text);
  if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
    const kind = whole ? 'a whole number' : 'a number';
    const limit = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new GatewiseError('argument', `${label} (${name}): expected ${kind} ${limit}, got "${text}"`);
  }
  return value;
}

export function parseCell(text: string): CellName {
  const cell = CELLS.find((name) => name === text.toLowerCase());
  if (cell === undefined)
    throw new GatewiseError('argument', `Cell: expected ${CELLS.join(', ')}, got "${text}"`);
  return cell;
}

/** Parses settings from texts by name, such as an address's query or a file's metadata. @param defaults For absent names. */
export function parseSettings(
  text: (name: keyof Settings) => string | undefined,
  defaults: Settings,
): Settings {
  const numbers = (Object.keys(NUMBERS) as NumberSetting[]).map((name) => {
    const given = text(name);
    return [name, given === undefined ? defaults[name] : parseNumber(name, given)] as const;
  });
  const cell = text('cell');
  return {
    ...defaults,
    cell: cell === undefined ? defaults.cell : parseCell(cell),
    ...Object.fromEntries(numbers),
  };
}
