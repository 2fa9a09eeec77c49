// runtime.compile: turns a function over traced values into one over tensors, planned once per signature.
import { GatewiseError, show } from '../core/errors.ts';
import { mapTree, type MapTree, type Tree } from '../core/tree.ts';
import { Value } from '../graph/value.ts';
import { constant } from '../ops/structure.ts';
import type { HostData, TypedArray } from './host.ts';
import { Inspectable } from './inspectable.ts';
import { ProgramCache, type Memory, type Prepared } from './program.ts';
import { Tensor, toArgument, type Argument } from './tensor.ts';

/** Numbers in nested lists. A list of typed arrays is a list of arguments. */
type NestedNumbers = number | readonly NestedNumbers[];

/** Arguments of a compiled function: tensors or numbers where the traced function reads values. */
export type TensorArguments<Args extends readonly unknown[]> = { [K in keyof Args]: TensorTree<Args[K]> };
type TensorTree<T> = T extends Value
  ? Tensor | TypedArray | NestedNumbers
  : T extends object
    ? { [K in keyof T]: TensorTree<T[K]> }
    : T;

export interface Compiled<Args extends readonly unknown[], Result> extends Pick<
  Inspectable<TensorArguments<Args>>,
  'plan' | 'explain' | 'profile' | 'tune' | 'dispose'
> {
  /** Queues the computation and returns at once; read() the tensors for their values. The caller owns them. */
  (...args: TensorArguments<Args>): MapTree<Result, Value | number, Tensor>;
  /**
   * Records the computation into commands of the application: no submit, no readback, and after the first call with the same
   * tensors no allocation. A pass keeps neither its pipeline nor its bind group 0. The application submits what it records, in
   * the order of the calls.
   * @param args Tensors, nested as the arguments of the function. @param outputs Tensors to write, nested as its result.
   */
  encode(
    target: GPUCommandEncoder | GPUComputePassEncoder,
    args: TensorArguments<Args>,
    outputs: MapTree<Result, Value | number, Tensor>,
  ): void;
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

/** Maps the leaves of each argument. The list of arguments itself is never a leaf, even if all are numbers. */
function mapEach(args: readonly unknown[], visit: (leaf: unknown, path: string) => unknown): unknown[] {
  return args.map((arg, i) => mapTree(arg, isArgumentLeaf, visit, String(i)));
}

class CompiledFunction<Args extends readonly unknown[]> extends Inspectable<Args> {
  readonly #memory: Memory;
  readonly #fn: (...args: never) => unknown;
  readonly #name: string;
  readonly #owner: Set<Disposable>;
  readonly #programs: ProgramCache;
  #disposed = false;

  constructor(memory: Memory, fn: (...args: never) => unknown, owner: Set<Disposable>) {
    super();
    this.#memory = memory;
    this.#fn = fn;
    this.#name = fn.name === '' ? 'compiled function' : fn.name;
    this.#owner = owner;
    this.#programs = new ProgramCache(memory.backend);
    owner.add(this);
  }

  call(...args: Args): unknown {
    const prepared = this.prepare('call', ...args);
    return prepared.program.call(this.#memory, prepared.args);
  }

  encode(target: GPUCommandEncoder | GPUComputePassEncoder, args: Args, outputs: unknown): void {
    const prepared = this.prepare('encode', ...args);
    prepared.program.encode(target, prepared.args, outputs);
  }

  protected prepare(_: string, ...args: Args): Prepared {
    const name = this.#name;
    if (this.#disposed)
      throw new GatewiseError('disposed', `${name}: called after dispose(); compile it again`);
    const leaves: Argument[] = [];
    const structure = mapEach(args, (leaf, path) => {
      if (!isArgumentLeaf(leaf))
        throw new GatewiseError(
          'argument',
          `${name}: argument ${path} must be a tensor or numbers, got ${show(leaf)}`,
        );
      return leaves.push(toArgument(`${name}: argument ${path}`, leaf));
    });
    return this.#programs.prepare({
      name,
      args: Object.fromEntries(leaves.map((leaf, i) => [`argument ${i}`, leaf])),
      variant: JSON.stringify(structure),
      trace: (values) => ({ outputs: this.#trace(args, Object.values(values)) }),
    });
  }

  #trace(args: Args, values: readonly Value[]): Tree<Value> {
    let next = 0;
    // `args` with a traced value in place of each leaf, as `fn` declares its parameters.
    const traced = mapEach(args, () => values[next++]) as never;
    return mapTree<Value | number, Value>(this.#fn(...traced), isResultLeaf, (leaf) => {
      if (leaf instanceof Value) return leaf;
      if (typeof leaf === 'number') return constant(leaf);
      throw new GatewiseError(
        'argument',
        `${this.#name}: expected traced values as the result, got ${show(leaf)}`,
      );
    }) as Tree<Value>;
  }

  dispose(): void {
    this.#disposed = true;
    this.#owner.delete(this);
    this.#programs.clear();
  }
}

export function compileFunction<Args extends readonly unknown[], Result>(
  memory: Memory,
  fn: (...args: Args) => Result,
  owner: Set<Disposable>,
): Compiled<Args, Result> {
  const compiled = new CompiledFunction<TensorArguments<Args>>(memory, fn, owner);
  return Object.assign(compiled.call.bind(compiled), {
    encode: compiled.encode.bind(compiled),
    plan: compiled.plan.bind(compiled),
    explain: compiled.explain.bind(compiled),
    profile: compiled.profile.bind(compiled),
    tune: compiled.tune.bind(compiled),
    dispose: compiled.dispose.bind(compiled),
  }) as Compiled<Args, Result>;
}
