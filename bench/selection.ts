// The selection of what to measure, with the same words in the options of the commands and in the page's address.
import { presets, type Settings } from './results.ts';
import { setNames, workloads, workloadsOf, type SetName, type Workload } from './workloads.ts';

/** What `--peers` calls the contestants. */
export const contestantKeys = {
  gatewise: 'gatewise on WebGPU',
  'gatewise-cpu': 'gatewise on the CPU, in JavaScript',
  tfjs: 'TensorFlow.js on WebGPU and on WebAssembly',
  onnx: 'ONNX Runtime Web on WebGPU and on WebAssembly with all threads',
  jax: 'jax-js on WebGPU',
} as const;
export type ContestantKey = keyof typeof contestantKeys;

export interface Selection {
  /** Absent: the set that suits the adapter. */
  readonly set?: SetName;
  /** Workloads by name, of any set, in place of those of the set. */
  readonly only: readonly string[];
  /** Empty: everyone. */
  readonly peers: readonly ContestantKey[];
}

export const keys = Object.keys(contestantKeys) as ContestantKey[];

/** As commander's InvalidArgumentError, to which it adds the option's name; a page has no commander. */
const invalid = (message: string): Error =>
  Object.assign(new Error(message), { code: 'commander.invalidArgument' });

/** One of some names. @throws Error that lists them */
export const oneOf =
  <T extends string>(what: string, names: readonly T[]) =>
  (text: string): T => {
    const found = names.find((name) => name === text);
    if (found !== undefined) return found;
    throw invalid(`${what}: expected one of ${names.join(', ')}, got "${text}"`);
  };

export const parseSet = oneOf('set', setNames);
const parseContestant = oneOf('contestant', keys);
export const parseWorkload = oneOf(
  'workload',
  workloads.map(({ name }) => name),
);

export function parsePasses(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw invalid(`passes: expected a whole number of at least 1, got "${text}"`);
}

/** A software adapter takes minutes for the quick set, and hours for the full one. */
export const defaultSet = ({ software }: { readonly software: boolean }): SetName =>
  software ? 'quick' : 'full';

export const chosenWorkloads = (set: SetName, only: readonly string[]): readonly Workload[] =>
  only.length === 0 ? workloadsOf(set) : workloads.filter(({ name }) => only.includes(name));

/** How long to measure: trials for a moment, the quick set for minutes. */
export function settingsFor(set: SetName, chosen: readonly Workload[]): Settings {
  const trial = chosen.every(({ sets }) => sets.includes('trial'));
  return presets[trial ? 'trial' : set === 'quick' ? 'quick' : 'full'];
}

const listed = <T>(query: URLSearchParams, name: string, parse: (text: string) => T): T[] =>
  query.getAll(name).join().split(',').filter(Boolean).map(parse);

/** The selection in a page's address. @throws Error if it names something that does not exist. */
export function readSelection(query: URLSearchParams): Selection {
  const set = query.get('set');
  return {
    ...(set === null ? {} : { set: parseSet(set) }),
    only: listed(query, 'only', parseWorkload),
    peers: listed(query, 'peers', parseContestant),
  };
}

export function writeSelection({ set, only, peers }: Selection): URLSearchParams {
  const query = new URLSearchParams();
  if (set !== undefined) query.set('set', set);
  if (only.length > 0) query.set('only', only.join(','));
  if (peers.length > 0) query.set('peers', peers.join(','));
  return query;
}
