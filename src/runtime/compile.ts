// runtime.compile: a function over traced values becomes one that takes and gives tensors, planned once per signature.
import type { Backend } from '../backend/backend.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { Recent } from '../core/recent.ts';
import { sizeOf } from '../core/shape.ts';
import { leavesOf, mapTree, type MapTree } from '../core/tree.ts';
import { Value } from '../graph/value.ts';
import { constant } from '../ops/structure.ts';
import type { Plan } from '../plan/plan.ts';
import type { Profile } from '../plan/profile.ts';
import type { TunedKind } from '../backend/tuning.ts';
import { toHostTensor, type HostData } from './host.ts';
import type { MemoryPool } from './memory_pool.ts';
import { signatureKey } from './net_context.ts';
import { Program, type Argument } from './program.ts';
import { Tensor } from './tensor.ts';

/** Arguments of a compiled function: tensors or host data where the traced function reads values. */
export type TensorArguments<Args extends readonly unknown[]> = { [K in keyof Args]: TensorTree<Args[K]> };
type TensorTree<T> = T extends Value
  ? Tensor | HostData
  : T extends object
    ? { [K in keyof T]: TensorTree<T[K]> }
    : T;

export interface Compiled<Args extends readonly unknown[], Result> {
  /** Queues the computation and returns at once; read() the tensors for their values. The caller owns them. */
  (...args: TensorArguments<Args>): MapTree<Result, Value | number, Tensor>;
  /** The plan for such arguments, as data. */
  plan(...args: TensorArguments<Args>): Plan;
  /** The plan for such arguments, as text. */
  explain(...args: TensorArguments<Args>): string;
  /** What each step takes for such arguments, as `net.profile`. */
  profile(...args: TensorArguments<Args>): Promise<Profile>;
  /** Finds the fastest kernels for such arguments, as `net.tune`. */
  tune(...args: TensorArguments<Args>): Promise<readonly TunedKind[]>;
  /** Frees the plans' memory. Tensors that were handed out stay. */
  dispose(): void;
}

/** Plans kept for arguments of different shapes. */
const MAX_PROGRAMS = 16;

interface Entry {
  readonly program: Program;
  /** Puts output tensors, in order, into the nesting that the function returned. */
  readonly rebuild: (tensors: readonly Tensor[]) => unknown;
}

const isArgumentLeaf = (node: unknown): node is Tensor | HostData =>
  node instanceof Tensor ||
  typeof node === 'number' ||
  ArrayBuffer.isView(node) ||
  (Array.isArray(node) && isNumbers(node));
const isNumbers = (list: readonly unknown[]): boolean =>
  list.every((item) => typeof item === 'number' || (Array.isArray(item) && isNumbers(item)));
const isResultLeaf = (node: unknown): node is Value | number =>
  node instanceof Value || typeof node === 'number';

/** Each argument on its own: a list of arguments that are all numbers is not a list of numbers. */
function mapEach(args: readonly unknown[], visit: (leaf: unknown, path: string) => unknown): unknown[] {
  return args.map((arg, i) => mapTree(arg, isArgumentLeaf, visit, String(i)));
}

export function compileFunction<Args extends readonly unknown[], Result>(
  backend: Backend,
  pool: MemoryPool,
  fn: (...args: Args) => Result,
  onDispose: () => void,
): Compiled<Args, Result> {
  const name = fn.name === '' ? 'compiled function' : fn.name;
  const entries = new Recent<Entry>(MAX_PROGRAMS, ({ program }) => program.dispose());
  let disposed = false;

  const prepare = (args: readonly unknown[]): { entry: Entry; flat: Argument[] } => {
    if (disposed) throw new GatewiseError('disposed', `${name}: called after dispose(); compile it again`);
    const flat: Argument[] = [];
    const structure = mapEach(args, (leaf, path): string => {
      if (!isArgumentLeaf(leaf))
        throw new GatewiseError(
          'argument',
          `${name}: argument ${path} must be a tensor or numbers, got ${show(leaf)}`,
        );
      const argument = leaf instanceof Tensor ? leaf : toHostTensor(`${name}: argument ${path}`, leaf);
      flat.push(argument);
      return signatureKey([argument]);
    });
    const key = JSON.stringify(structure);
    return { entry: entries.get(key, () => trace(args, flat)), flat };
  };

  const trace = (args: readonly unknown[], flat: readonly Argument[]): Entry => {
    let rebuild: Entry['rebuild'] = () => undefined;
    const program = new Program(backend, name, flat, (values) => {
      let next = 0;
      // The nesting of `args` with values for leaves, which is what fn was declared with.
      const traced = mapEach(args, () => values[next++]) as unknown as Args;
      const result: unknown = fn(...traced);
      rebuild = (tensors) => {
        let output = 0;
        return mapTree(result, isResultLeaf, () => tensors[output++]);
      };
      const outputs = leavesOf<unknown>(result, isResultLeaf).map((leaf) => {
        if (leaf instanceof Value) return leaf;
        if (typeof leaf === 'number') return constant(leaf);
        throw new GatewiseError(
          'argument',
          `${name}: expected traced values as the result, got ${show(leaf)}`,
        );
      });
      return { outputs };
    });
    return { program, rebuild };
  };

  const call = (...args: readonly unknown[]): unknown => {
    const { entry, flat } = prepare(args);
    const tensors = entry.program.plan.outputs.map(({ view, dtype }) => {
      const buffer = pool.take(sizeOf(view.shape), dtype);
      return new Tensor(backend, buffer, view.shape, dtype, (free) => pool.give(free, dtype));
    });
    entry.program.run(
      flat,
      tensors.map((tensor) => tensor.buffer),
    );
    return entry.rebuild(tensors);
  };
  return Object.assign(call, {
    plan: (...args: readonly unknown[]): Plan => prepare(args).entry.program.plan,
    explain: (...args: readonly unknown[]): string => prepare(args).entry.program.explain(),
    profile: async (...args: readonly unknown[]): Promise<Profile> => {
      const { entry, flat } = prepare(args);
      return entry.program.profile(flat);
    },
    tune: async (...args: readonly unknown[]): Promise<readonly TunedKind[]> => {
      const { entry, flat } = prepare(args);
      return entry.program.tune(flat);
    },
    dispose: (): void => {
      disposed = true;
      onDispose();
      entries.clear();
    },
  }) as Compiled<Args, Result>;
}
