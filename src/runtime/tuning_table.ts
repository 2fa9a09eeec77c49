// Results of tuning, stored between visits, for example in localStorage.
import type { TuningMemory } from '../backend/backend.ts';
import { parseTuning, type Choices, type Tuning } from '../backend/tuning.ts';

/** Stores text by name, as `localStorage` does. */
export interface TuningStore {
  getItem(name: string): string | null;
  setItem(name: string, text: string): void;
}

/** The number changes when the stored names no longer mean the same variants. */
const NAME = 'gatewise.tuning.2';

export class TuningTable implements TuningMemory {
  readonly #store: TuningStore | undefined;
  #tuning: Tuning;

  /** Reads the store. A store that throws is ignored, so that tuning never causes an error. */
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
      // The store is full or forbidden: the results serve this visit only.
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

/** The page's `localStorage`, if there is one and the page may use it. */
export function localStore(): TuningStore | undefined {
  try {
    // Node has a localStorage too, which prints a warning when it is read.
    return typeof window === 'undefined' ? undefined : window.localStorage;
  } catch {
    return undefined;
  }
}
