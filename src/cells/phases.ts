// Cuts the expressions of a cell's step into phases. Within a phase each unit works on its own: an earlier launch has written all
// that it reads of other units.
import { constantOf, Expr, rewrite } from '../expr/expr.ts';
import { isMean, isVector, Place, placeOf, placesIn, weightPartsOf, type WeightPart } from './places.ts';
import type { Width, Widths } from './widths.ts';

/** A sum of matrix-vector products. */
export interface Product {
  readonly place: Place;
  readonly terms: readonly Term[];
}

export interface Term {
  readonly matrix: WeightPart;
  /** The vector: a product reads it at all units. */
  readonly source: Expr;
  readonly depth: Width;
}

/** The mean of an expression over all units of a row. */
export interface Mean {
  readonly place: Place;
  /** Reads places that are in memory, and earlier means. */
  readonly of: Expr;
  readonly width: Width;
}

export interface Write {
  readonly to: Place;
  readonly value: Expr;
}

/** Computes the products, then the means in order, then the values of each unit; writes come last. */
export interface Phase {
  readonly width: Width;
  readonly products: readonly Product[];
  readonly means: readonly Mean[];
  readonly writes: readonly Write[];
  /** In place of `writes` after the backward loop: completes the gradients of the initial states. */
  readonly finish: readonly Write[];
}

/** A value to write: as early as possible, or with `last` in the last phase of its width. */
export interface Root extends Write {
  readonly last?: boolean;
  readonly finish?: boolean;
  /** The value at masked steps; if absent, masked steps write `value` too. */
  readonly masked?: Expr | undefined;
}

export interface PhaseRules {
  /** Values that are stored rather than computed again in a later phase. */
  readonly saved: ReadonlySet<Expr>;
  /** The places of stored values; values without one get a new slot. */
  readonly places: Map<Expr, Place>;
  readonly widths: Widths;
  /** Values that are stored at masked steps too; all others are 0 there. */
  readonly always: ReadonlySet<Expr>;
  /** The input that is 1 where a step is not masked; undefined without a mask. */
  readonly active: Expr | undefined;
}

/** A phase under construction. */
interface Group {
  readonly level: number;
  readonly width: Width;
  /** The results of products and means. */
  readonly results: Map<Expr, Place>;
  readonly products: Product[];
  readonly means: Mean[];
  readonly writes: Write[];
  readonly finish: Write[];
}

/** The first phase that can compute a value: `own` for its own unit, `all` for every unit from what is in memory. */
interface Level {
  readonly own: number;
  readonly all: number;
}

/** A value in memory. */
interface StoredValue {
  readonly place: Place;
  readonly level: number;
  readonly masked: Expr | undefined;
}

export class PhaseCutter {
  readonly #rules: PhaseRules;
  readonly #groups: Group[] = [];
  readonly #levels = new Map<Expr, Level>();
  readonly #stored = new Map<Expr, StoredValue>();
  /** Second places of values that are stored with a replacement at masked steps: here they are without it. */
  readonly #unmasked = new Map<Expr, Place>();
  readonly #queue: Root[] = [];
  /** The number of products and means so far. */
  #count = 0;

  constructor(rules: PhaseRules) {
    this.#rules = rules;
  }

  cut(roots: readonly Root[]): Phase[] {
    for (const { to, value, masked } of roots) {
      const isLeaf = 'input' in value.kind || constantOf(value) !== undefined;
      // No phase reads the gradients that go to the next step.
      const isRead = to.kind !== 'carry' && (!isLeaf || to.kind === 'slot');
      if (isRead && !this.#stored.has(value))
        this.#stored.set(value, { place: to, level: this.#levelOf(value).own, masked });
    }
    this.#queue.push(...roots.filter(({ last }) => last !== true));
    this.#drain();
    this.#writeLast(roots.filter(({ last }) => last === true));
    return this.#groups
      .sort((a, b) => a.level - b.level || a.width.localeCompare(b.width))
      .map(({ level: _level, results: _results, ...phase }) => phase);
  }

  /** Writes all queued values, and the values that these read from memory. */
  #drain(): void {
    for (let root = this.#queue.shift(); root !== undefined; root = this.#queue.shift())
      this.#write(root, this.#levelOf(root.value).own);
  }

  #writeLast(roots: readonly Root[]): void {
    const widthOf = ({ to }: Root): Width => this.#rules.widths.at(to.expr) ?? 'hidden';
    for (const root of roots) {
      const width = widthOf(root);
      const groups = this.#groups.filter((group) => group.width === width);
      const alike = roots.filter((other) => widthOf(other) === width);
      const levels = [
        ...groups.map(({ level }) => level),
        ...alike.map(({ value }) => this.#levelOf(value).own),
      ];
      this.#write(root, Math.max(0, ...levels));
      this.#drain();
    }
  }

  #levelOf(expr: Expr): Level {
    const known = this.#levels.get(expr) ?? this.#computeLevel(expr);
    this.#levels.set(expr, known);
    return known;
  }

  #computeLevel(expr: Expr): Level {
    const place = placeOf(expr);
    if (place !== undefined) return { own: 0, all: place.traits.read === 'unit' ? 1 : 0 };
    const args = expr.args.map((arg) => this.#levelOf(arg));
    const all = Math.max(0, ...args.map((level) => level.all));
    if (isMean(expr)) return { own: all, all };
    if (weightPartsOf(expr) === undefined) return { own: Math.max(0, ...args.map(({ own }) => own)), all };
    // An earlier phase writes a vector, which a product reads at all units.
    const own = Math.max(...expr.args.map((arg, i) => (isVector(arg) ? 0 : args[i].own + 1)));
    return { own, all: own + 1 };
  }

  #groupAt(level: number, width: Width): Group {
    const known = this.#groups.find((group) => group.level === level && group.width === width);
    if (known !== undefined) return known;
    const group = { level, width, results: new Map(), products: [], means: [], writes: [], finish: [] };
    this.#groups.push(group);
    return group;
  }

  #write({ to, value, masked, finish = false }: Root, level: number): void {
    const { active, widths } = this.#rules;
    const width = widths.at(value) ?? widths.at(to.expr) ?? 'hidden';
    const group = this.#groupAt(level, width);
    const computed = this.#compute(value, group);
    const gated =
      masked === undefined || active === undefined
        ? computed
        : Expr.operation('where', [active, computed, this.#computeMasked(masked, group)]);
    (finish ? group.finish : group.writes).push({ to, value: gated });
  }

  /** An expression as a group computes it: reads what an earlier phase stored, and takes products and means from the group. */
  #compute(root: Expr, group: Group): Expr {
    const [computed] = rewrite([root], (expr) => {
      const isEarlier = this.#levelOf(expr).own < group.level;
      const stored = this.#stored.get(expr);
      if (stored !== undefined && stored.level < group.level) return stored.place.expr;
      if (isEarlier && this.#rules.saved.has(expr)) return this.#store(expr);
      if (isMean(expr)) return this.#meanOf(expr, group);
      const parts = weightPartsOf(expr);
      if (parts === undefined) return undefined;
      return isEarlier ? this.#store(expr) : this.#productOf(expr, parts, group);
    });
    return computed;
  }

  /** A replacement at masked steps, as a group computes it. If it is stored with a replacement itself, it gets a second place. */
  #computeMasked(value: Expr, group: Group): Expr {
    const stored = this.#stored.get(value);
    if (stored?.masked === undefined || stored.level >= group.level) return this.#compute(value, group);
    const place = this.#unmasked.get(value) ?? this.#rules.widths.allocate(value);
    if (!this.#unmasked.has(value)) this.#queue.push({ to: place, value });
    this.#unmasked.set(value, place);
    return place.expr;
  }

  /** Has an earlier phase store a value. @returns The value, read from memory. */
  #store(expr: Expr): Expr {
    const stored = this.#stored.get(expr);
    if (stored !== undefined) return stored.place.expr;
    const { places, widths, always } = this.#rules;
    const place = places.get(expr) ?? widths.allocate(expr);
    places.set(expr, place);
    const isAlways = placeOf(expr) !== undefined || always.has(expr);
    const masked = isAlways ? undefined : Expr.constant(0);
    this.#stored.set(expr, { place, level: this.#levelOf(expr).own, masked });
    this.#queue.push({ to: place, value: expr, masked });
    return place.expr;
  }

  #meanOf(expr: Expr, group: Group): Expr {
    const known = group.results.get(expr);
    if (known !== undefined) return known.expr;
    // Other units' values must be in memory.
    const [of] = rewrite([this.#compute(expr.args[0], group)], (inner) =>
      placeOf(inner)?.traits.read === 'unit' ? this.#store(inner) : undefined,
    );
    const place = Place.of('mean', this.#count++);
    group.means.push({ place, of, width: this.#rules.widths.at(expr.args[0]) ?? group.width });
    group.results.set(expr, place);
    return place.expr;
  }

  #productOf(expr: Expr, parts: readonly WeightPart[], group: Group): Expr {
    const known = group.results.get(expr);
    if (known !== undefined) return known.expr;
    const terms = parts.map((matrix, i): Term => {
      const source = expr.args[i];
      const { depth } = this.#rules.widths.of(matrix);
      return { matrix, source: isVector(source) ? source : this.#store(source), depth };
    });
    const place = Place.of('product', this.#count++);
    group.products.push({ place, terms });
    group.results.set(expr, place);
    return place.expr;
  }
}

/** A place that a phase reads: at its own unit, or at all units. */
export interface Read {
  readonly place: Place;
  readonly phase: number;
  readonly across: boolean;
}

export function readsOf(phases: readonly Phase[]): Read[] {
  return phases.flatMap(({ products, means, writes, finish }, phase) => {
    const sources = products.flatMap(({ terms }) => terms.map(({ source }) => source));
    const averaged = means.map(({ of }) => of);
    const values = [...writes, ...finish].map(({ value }) => value);
    return [
      ...placesIn([...sources, ...averaged]).map((place) => ({ place, phase, across: true })),
      ...placesIn(values).map((place) => ({ place, phase, across: false })),
    ];
  });
}

/** Phases with places replaced. */
export function movePlaces(phases: readonly Phase[], move: (place: Place) => Place): Phase[] {
  const moved = (expr: Expr): Expr =>
    rewrite([expr], (inner) => {
      const place = placeOf(inner);
      return place && move(place).expr;
    })[0];
  const movedWrite = ({ to, value }: Write): Write => ({ to: move(to), value: moved(value) });
  return phases.map(({ width, products, means, writes, finish }) => ({
    width,
    products: products.map(({ place, terms }) => ({
      place,
      terms: terms.map((term) => ({ ...term, source: moved(term.source) })),
    })),
    means: means.map((mean) => ({ ...mean, of: moved(mean.of) })),
    writes: writes.map(movedWrite),
    finish: finish.map(movedWrite),
  }));
}
