// What tuning has found, kept between visits in a store such as localStorage.
import type { TuningMemory } from '../backend/backend.ts';
import { parseTuning, type Choices, type Tuning } from '../backend/tuning.ts';

/** Text by name, as `localStorage` keeps it. */
export interface TuningStore {
  getItem(name: string): string | null;
  setItem(name: string, text: string): void;
}

/** The number tells tables of variants that are no longer the same apart. */
const NAME = 'gatewise.tuning.1';

export class TuningTable implements TuningMemory {
  readonly #store: TuningStore | undefined;
  #tuning: Tuning;

  /** Reads the store. Tuning is never the reason for an error: a store that fails is as none. */
  constructor(store: TuningStore | undefined) {
    this.#store = store;
    this.#tuning = this.#read();
  }

  get tuning(): Tuning {
    return this.#tuning;
  }

  choicesFor(adapter: string): Choices {
    return this.#tuning[adapter] ?? {};
  }

  add(adapter: string, found: Choices): void {
    if (Object.keys(found).length === 0) return;
    // Another page may have written meanwhile.
    const all = { ...this.#read(), ...this.#tuning };
    this.#tuning = { ...all, [adapter]: { ...all[adapter], ...found } };
    try {
      this.#store?.setItem(NAME, JSON.stringify(this.#tuning));
    } catch {
      // Full or forbidden: what was found serves this visit.
    }
  }

  #read(): Tuning {
    try {
      return parseTuning(this.#store?.getItem(NAME) ?? null);
    } catch {
      return {};
    }
  }
}

/** The browser's own, where there is one and the page may use it. */
export function localStore(): TuningStore | undefined {
  try {
    // Node has a localStorage too, which complains when it is touched.
    return typeof window === 'undefined' ? undefined : window.localStorage;
  } catch {
    return undefined;
  }
}
