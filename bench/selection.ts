// What a run is asked to measure: the command's options and the page's address say the same thing in the same words.
import { contestantKeys, type ContestantKey } from './contestants/keys.ts';
import { presets, type Settings } from './results.ts';
import { setNames, trialWorkloads, workloads, type SetName, type Workload } from './workloads.ts';

export { setNames, workloadsOf, type SetName } from './workloads.ts';

export interface Selection {
  /** Absent: what suits the adapter. */
  readonly set?: SetName;
  /** Workloads by name, of any set, in place of those of the set. */
  readonly only: readonly string[];
  /** Empty: everyone. */
  readonly peers: readonly ContestantKey[];
  readonly reversed: boolean;
  readonly seed: number;
}

export const allWorkloads: readonly Workload[] = [...workloads, ...trialWorkloads];

/** A software adapter takes minutes for the quick set, and hours for the full one. */
export const defaultSet = (adapter: { readonly software: boolean }): SetName =>
  adapter.software ? 'quick' : 'full';

/** One of some names. @throws Error that lists them. */
export function oneOf<T extends string>(what: string, names: readonly T[], text: string): T {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new Error(`${what}: expected one of ${names.join(', ')}, got "${text}"`);
  return found;
}

export const parseSet = (text: string): SetName => oneOf('set', setNames, text);

export const parseContestant = (text: string): ContestantKey =>
  oneOf('contestant', Object.keys(contestantKeys) as ContestantKey[], text);

export const parseWorkload = (text: string): string =>
  oneOf(
    'workload',
    allWorkloads.map(({ name }) => name),
    text,
  );

/** At most so many passes: a hundred would not be less sure than ten. */
const MOST_PASSES = 10;

export function parsePasses(text: string): number {
  const passes = Number(text);
  if (!/^\d+$/.test(text) || passes < 1 || passes > MOST_PASSES)
    throw new Error(`passes: expected a whole number from 1 to ${MOST_PASSES}, got "${text}"`);
  return passes;
}

export function parseSeed(text: string): number {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed > 0xffff_ffff)
    throw new Error(`seed: expected a whole number from 0 to ${0xffff_ffff}, got "${text}"`);
  return seed;
}

/** How long to measure: trials for a moment, the quick set for minutes. */
export function settingsFor(
  set: SetName,
  chosen: readonly Workload[],
  more: Pick<Settings, 'seed' | 'reversed'>,
): Settings {
  const trial = chosen.every((workload) => trialWorkloads.includes(workload));
  return { ...presets[trial ? 'trial' : set === 'quick' ? 'quick' : 'full'], ...more };
}

const listed = <T>(query: URLSearchParams, name: string, parse: (text: string) => T): T[] =>
  (query.get(name) ?? '').split(',').filter(Boolean).map(parse);

/** @throws Error where the address names what there is not. */
export function readSelection(query: URLSearchParams): Selection {
  const set = query.get('set');
  return {
    ...(set === null ? {} : { set: parseSet(set) }),
    only: listed(query, 'only', parseWorkload),
    peers: listed(query, 'peers', parseContestant),
    reversed: query.has('reversed'),
    seed: parseSeed(query.get('seed') ?? String(presets.full.seed)),
  };
}

/** The address's part that asks for it. */
export function writeSelection({ set, only, peers, reversed, seed }: Selection): URLSearchParams {
  const query = new URLSearchParams();
  if (set !== undefined) query.set('set', set);
  if (only.length > 0) query.set('only', only.join(','));
  if (peers.length > 0) query.set('peers', peers.join(','));
  if (reversed) query.set('reversed', '');
  query.set('seed', String(seed));
  return query;
}
