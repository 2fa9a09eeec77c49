// A map that keeps the entries used last, and gives up the others.

export class Recent<Value> {
  readonly #entries = new Map<string, Value>();
  readonly #limit: number;
  readonly #drop: (value: Value) => void;

  /** @param drop is called with each entry that is given up. */
  constructor(limit: number, drop: (value: Value) => void = () => undefined) {
    this.#limit = limit;
    this.#drop = drop;
  }

  /** The entry of that key, made if it is not there. */
  get(key: string, make: () => Value): Value {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known;
    }
    const made = make();
    this.#entries.set(key, made);
    for (const [oldest, value] of this.#entries) {
      if (this.#entries.size <= this.#limit) break;
      this.#entries.delete(oldest);
      this.#drop(value);
    }
    return made;
  }

  /** Gives all entries up. */
  clear(): void {
    for (const value of this.#entries.values()) this.#drop(value);
    this.#entries.clear();
  }
}
