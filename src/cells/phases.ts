// Cuts expressions over a step of a cell into phases: launches in which every unit can work on its own, because what it
// reads of other units was written by an earlier one.
import { constantOf, Expr, inputsOf, rewrite, topological } from '../expr/expr.ts';

/** How many units a value has. */
export type Width = 'hidden' | 'projection';

/** One product: matrices times vectors, summed. */
export interface Product {
  /** What expressions of the phase call it. */
  readonly name: string;
  readonly terms: readonly Term[];
}

export interface Term {
  /** `hh.2`, the third gate's part of `weight_hh`; with a trailing `'` its transpose. */
  readonly matrix: string;
  /** A vector that can be read at every unit. */
  readonly source: Expr;
  readonly depth: Width;
}

export interface Mean {
  readonly name: string;
  /** Over the phase's inputs and earlier means, at each unit. */
  readonly of: Expr;
  readonly width: Width;
}

export interface Write {
  readonly to: string;
  readonly value: Expr;
}

/** Products, then means in order, then at each unit values, which are all worked out before the first is written. */
export interface Phase {
  readonly width: Width;
  readonly products: readonly Product[];
  readonly means: readonly Mean[];
  readonly writes: readonly Write[];
  /** Instead of `writes` once the backward loop is through: what is still missing from the initial states' gradients. */
  readonly finish: readonly Write[];
}

/** A value to be written: when it can be, or, with `last`, in the last phase of its width. */
export interface Root extends Write {
  readonly last?: boolean;
  readonly finish?: boolean;
  /** Written instead where the step is masked, if it can be. */
  readonly masked?: Expr;
}

export interface Rules {
  /** Values that are stored rather than computed again in a later phase. */
  readonly keep: ReadonlySet<Expr>;
  readonly widthOf: (expr: Expr) => Width | undefined;
  /** Where a value that must be stored goes. */
  readonly allocate: (expr: Expr) => string;
  /** Values that are stored at masked steps too; all others are 0 there. */
  readonly always: ReadonlySet<Expr>;
  /** The input that is 1 where a step counts, where steps may be masked. */
  readonly active: Expr | undefined;
}

/** Inputs that a unit has of itself alone. */
const isLocal = (name: string): boolean => /^(carry|output|noise|active)/.test(name);
/** What a phase writes that nothing reads within the step. */
const isOutgoing = (name: string): boolean => name.startsWith('carry');

/** Whether a vector can be read as it lies in memory, or is h with variational dropout's factors. */
export function isDirect(expr: Expr): boolean {
  if ('input' in expr.kind) return !/^(weight|bias|keep)/.test(expr.kind.input) && !isLocal(expr.kind.input);
  return (
    'op' in expr.kind && expr.kind.op === 'mul' && inputsOf(expr.args).toSorted().join() === 'keep0,state0'
  );
}

interface Group {
  readonly level: number;
  readonly width: Width;
  readonly products: Map<Expr, Product>;
  readonly means: Map<Expr, Mean>;
  readonly writes: Write[];
  readonly finish: Write[];
}

/** When a value can be computed: at its own unit, and, from what is stored, at any unit. */
interface Level {
  readonly own: number;
  readonly all: number;
}

export function cutIntoPhases(roots: readonly Root[], rules: Rules): Phase[] {
  const groups = new Map<string, Group>();
  const levels = new Map<Expr, Level>();
  const stored = new Map<Expr, { name: string; level: number; masked: Expr | undefined }>();
  const unmasked = new Map<Expr, string>();
  const queue: Root[] = [];
  let names = 0;

  const levelOf = (expr: Expr): Level => {
    const known = levels.get(expr);
    if (known !== undefined) return known;
    const args = expr.args.map(levelOf);
    let made: Level = {
      own: Math.max(0, ...args.map(({ own }) => own)),
      all: Math.max(0, ...args.map(({ all }) => all)),
    };
    if ('input' in expr.kind) made = { own: 0, all: isLocal(expr.kind.input) ? 1 : 0 };
    else if ('across' in expr.kind) {
      if (expr.kind.across[0] === 'mean') made = { own: made.all, all: made.all };
      else {
        // What a product reads at all units was written before.
        const own = Math.max(...expr.args.map((arg, i) => (isDirect(arg) ? 0 : args[i].own + 1)));
        made = { own, all: own + 1 };
      }
    }
    levels.set(expr, made);
    return made;
  };

  const groupOf = (level: number, width: Width): Group => {
    const key = `${level} ${width}`;
    const made = groups.get(key) ?? {
      level,
      width,
      products: new Map(),
      means: new Map(),
      writes: [],
      finish: [],
    };
    groups.set(key, made);
    return made;
  };

  const store = (expr: Expr): Expr => {
    const known = stored.get(expr);
    if (known !== undefined) return Expr.input(known.name);
    const name = rules.allocate(expr);
    const isAlways = 'input' in expr.kind || rules.always.has(expr);
    const masked = isAlways ? undefined : Expr.constant(0);
    stored.set(expr, { name, level: levelOf(expr).own, masked });
    queue.push({ to: name, value: expr, ...(masked === undefined ? {} : { masked }) });
    return Expr.input(name);
  };

  /** An expression as a group can compute it. */
  const place = (root: Expr, group: Group): Expr => {
    const [placed] = rewrite([root], (expr) => {
      const { own } = levelOf(expr);
      const at = stored.get(expr);
      if (at !== undefined && at.level < group.level) return Expr.input(at.name);
      if (rules.keep.has(expr) && own < group.level) return store(expr);
      if (!('across' in expr.kind)) return undefined;
      if (expr.kind.across[0] === 'mean') return meanOf(expr, group);
      return own < group.level ? store(expr) : productOf(expr, expr.kind.across, group);
    });
    return placed;
  };

  /** A value as a group can compute it where the step is masked, where what is stored may be something else. */
  const placeMasked = (value: Expr, group: Group): Expr => {
    const at = stored.get(value);
    if (at?.masked === undefined || at.level >= group.level) return place(value, group);
    const name = unmasked.get(value) ?? rules.allocate(value);
    if (!unmasked.has(value)) queue.push({ to: name, value });
    unmasked.set(value, name);
    return Expr.input(name);
  };

  const meanOf = (expr: Expr, group: Group): Expr => {
    const known = group.means.get(expr);
    if (known !== undefined) return Expr.input(known.name);
    const [of] = rewrite([place(expr.args[0], group)], (inner) =>
      'input' in inner.kind && isLocal(inner.kind.input) ? store(inner) : undefined,
    );
    const mean: Mean = { name: `mean${names++}`, of, width: rules.widthOf(expr.args[0]) ?? group.width };
    group.means.set(expr, mean);
    return Expr.input(mean.name);
  };

  const depthOf = (matrix: string): Width => {
    if (matrix.endsWith("'")) return matrix.startsWith('hr') ? 'projection' : 'hidden';
    return matrix.startsWith('hr') ? 'hidden' : (rules.widthOf(Expr.input('state0')) ?? 'hidden');
  };

  const productOf = (expr: Expr, maps: readonly string[], group: Group): Expr => {
    const known = group.products.get(expr);
    if (known !== undefined) return Expr.input(known.name);
    const terms = maps.map((matrix, i): Term => {
      const source = expr.args[i];
      return { matrix, source: isDirect(source) ? source : store(source), depth: depthOf(matrix) };
    });
    const product: Product = { name: `product${names++}`, terms };
    group.products.set(expr, product);
    return Expr.input(product.name);
  };

  const write = ({ to, value, masked, finish = false }: Root, level: number): void => {
    const width = rules.widthOf(value) ?? rules.widthOf(Expr.input(to)) ?? 'hidden';
    const group = groupOf(level, width);
    const placed = place(value, group);
    const { active } = rules;
    const gated =
      masked === undefined || active === undefined
        ? placed
        : Expr.operation('where', [active, placed, placeMasked(masked, group)]);
    (finish ? group.finish : group.writes).push({ to, value: gated });
  };

  for (const { to, value, masked } of roots) {
    const isLeaf = 'input' in value.kind || constantOf(value) !== undefined;
    if ((!isLeaf || to.startsWith('slot')) && !isOutgoing(to) && !stored.has(value))
      stored.set(value, { name: to, level: levelOf(value).own, masked });
  }
  queue.push(...roots.filter(({ last }) => last !== true));
  const drain = (): void => {
    for (let root = queue.shift(); root !== undefined; root = queue.shift())
      write(root, levelOf(root.value).own);
  };
  drain();
  for (const root of roots.filter(({ last }) => last === true)) {
    const width = rules.widthOf(Expr.input(root.to)) ?? 'hidden';
    const alike = [...groups.values()].filter((group) => group.width === width).map(({ level }) => level);
    const others = roots
      .filter(({ last, to }) => last === true && rules.widthOf(Expr.input(to)) === width)
      .map(({ value }) => levelOf(value).own);
    write(root, Math.max(0, ...alike, ...others));
    drain();
  }
  return [...groups.values()]
    .sort((a, b) => a.level - b.level || a.width.localeCompare(b.width))
    .map(({ width, products, means, writes, finish }) => ({
      width,
      products: [...products.values()],
      means: [...means.values()],
      writes,
      finish,
    }));
}

/** The inputs that phases read, and in which phase at the unit itself and at all units. */
export function readsOf(phases: readonly Phase[]): { name: string; phase: number; across: boolean }[] {
  return phases.flatMap(({ products, means, writes, finish }, phase) => {
    const here = (exprs: readonly Expr[], across: boolean) =>
      inputsOf(exprs).map((name) => ({ name, phase, across }));
    return [
      ...here(
        products.flatMap(({ terms }) => terms.map(({ source }) => source)),
        true,
      ),
      ...here(
        means.map(({ of }) => of),
        true,
      ),
      ...here(
        [...writes, ...finish].map(({ value }) => value),
        false,
      ),
    ];
  });
}

/** Phases with names of places replaced. */
export function renamePhases(phases: readonly Phase[], rename: (name: string) => string): Phase[] {
  const change = (expr: Expr): Expr =>
    rewrite([expr], ({ kind }) => ('input' in kind ? Expr.input(rename(kind.input)) : undefined))[0];
  const changeWrite = ({ to, value }: Write): Write => ({ to: rename(to), value: change(value) });
  return phases.map(({ width, products, means, writes, finish }) => ({
    width,
    products: products.map(({ name, terms }) => ({
      name,
      terms: terms.map((term) => ({ ...term, source: change(term.source) })),
    })),
    means: means.map((mean) => ({ ...mean, of: change(mean.of) })),
    writes: writes.map(changeWrite),
    finish: finish.map(changeWrite),
  }));
}

/** FLOP of a phase's means and writes at one unit: a mean goes over all units, for each. */
export function operationsOf({ means, writes }: Phase): number {
  return topological([...means.map(({ of }) => of), ...writes.map(({ value }) => value)]).filter(
    ({ kind }) => 'op' in kind,
  ).length;
}
