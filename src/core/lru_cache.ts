// A least-recently-used cache.

export class LRUCache<Value> {
  readonly #entries = new Map<string, Value>();
  readonly #limit: number;
  readonly #onEvict: (value: Value) => void;

  /** @param limit The number of entries to keep. @param onEvict Called with each entry that the cache drops. */
  constructor(limit: number, onEvict: (value: Value) => void = () => undefined) {
    this.#limit = limit;
    this.#onEvict = onEvict;
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
    for (const [key, value] of this.#entries) {
      if (this.#entries.size <= this.#limit) return;
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
