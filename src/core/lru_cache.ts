// A least-recently-used cache.

export class LRUCache<Value> {
  readonly #entries = new Map<string, Value>();
  readonly #limit: number;
  readonly #onEvict: (value: Value) => void;
  readonly #weightOf: (value: Value) => number;
  readonly #weightLimit: number;

  /**
   * @param limit The number of entries to keep. @param onEvict Called with each entry that the cache drops.
   * @param weights.of The weight of an entry. @param weights.limit The weight of all entries to keep; the latest is kept anyway.
   */
  constructor(
    limit: number,
    onEvict: (value: Value) => void = () => undefined,
    weights: { readonly of: (value: Value) => number; readonly limit: number } = { of: () => 0, limit: 0 },
  ) {
    this.#limit = limit;
    this.#onEvict = onEvict;
    this.#weightOf = weights.of;
    this.#weightLimit = weights.limit;
  }

  /** The entry for a key, which `make` creates if there is none. */
  get(key: string, make: () => Value): Value {
    const existing = this.#entries.get(key);
    const value = existing ?? make();
    // The map keeps insertion order: deleting and setting a key makes it the most recent one.
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (existing === undefined) this.#evict();
    return value;
  }

  #evict(): void {
    let weight = [...this.#entries.values()].reduce((sum, value) => sum + this.#weightOf(value), 0);
    for (const [key, value] of this.#entries) {
      const { size } = this.#entries;
      if (size <= 1 || (size <= this.#limit && weight <= this.#weightLimit)) return;
      weight -= this.#weightOf(value);
      this.#entries.delete(key);
      this.#onEvict(value);
    }
  }

  /** Evicts all entries. */
  clear(): void {
    for (const value of this.#entries.values()) this.#onEvict(value);
    this.#entries.clear();
  }
}
