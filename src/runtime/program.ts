// A program: a function over traced values that is traced and planned once for each signature of its arguments. Compiled functions,
// nets, streams and trainers all run programs.
import { GatewiseError } from '../core/errors.ts';
import { LRUCache } from '../core/lru_cache.ts';
import { mapTree, type MapTree } from '../core/tree.ts';
import type { Value } from '../graph/value.ts';
import { Specialization, type Memory, type NamedSignature, type Traced } from './specialization.ts';
import { isArgument, type Argument } from './tensor.ts';

/** A specialization and what to run it with. */
export interface Prepared {
  readonly specialization: Specialization;
  readonly args: readonly Argument[];
}

/**
 * What has a plan, for the functions of `gatewise/tools`: a net (the plan of `run`), a stream (of `push`), a trainer (of `step`)
 * and a compiled function. @template Args The arguments of that method or function.
 */
export interface Planned<Args extends readonly unknown[]> {
  /**
   * What runs for such arguments, in order. Only a stream has two: what it prefetches, and the push itself.
   * @param method The caller, for errors.
   */
  [PREPARE](method: string, ...args: Args): readonly Prepared[];
}
export const PREPARE = Symbol('prepare');

export interface ProgramOptions<Args extends object, Statics> {
  /** The program's name in errors. */
  readonly name: string;
  /** @param args Traced values, nested as the arguments. @param statics What the graph depends on besides. */
  readonly trace: (args: MapTree<Args, Argument, Value>, statics: Statics) => Traced;
  /** Arguments that rarely change (weights during inference). Steps that depend on nothing else are memoised. */
  readonly frozen?: readonly string[];
}

/** Names, nesting, dtypes and shapes of arguments as text. By hand, since every run asks for it. @param leaves Gets the arguments. */
function signatureOf(node: unknown, leaves: Argument[]): string {
  if (isArgument(node)) {
    leaves.push(node);
    return `${node.dtype} ${node.shape.join()};`;
  }
  if (Array.isArray(node)) {
    let text = '[';
    for (const item of node) text += signatureOf(item, leaves);
    return `${text}]`;
  }
  let text = '{';
  for (const [name, value] of Object.entries(node as object))
    text += `${name.length} ${name}:${signatureOf(value, leaves)}`;
  return `${text}}`;
}

/** Least recently used specializations beyond this number are freed, and planned again when they are needed. */
const MAX_SPECIALIZATIONS = 256;
/** Bytes of device memory of their own beyond which the least recently used are freed as well. */
const MAX_BYTES = 256 * 2 ** 20;

/** @template Args Arguments by name, nested. @template Statics Plain data. */
export class Program<Args extends object, Statics = undefined> implements Disposable {
  readonly #memory: Memory;
  readonly #options: ProgramOptions<Args, Statics>;
  readonly #specializations = new LRUCache<Specialization>(MAX_SPECIALIZATIONS, (one) => one.dispose(), {
    of: (one) => one.ownBytes,
    limit: MAX_BYTES,
  });
  #disposed = false;

  constructor(memory: Memory, options: ProgramOptions<Args, Statics>) {
    this.#memory = memory;
    this.#options = options;
  }

  /** The specialization for arguments of this nesting and these dtypes and shapes. The first use traces and plans it. */
  prepare(args: Args, statics: Statics): Prepared {
    const { name, trace, frozen = [] } = this.#options;
    if (this.#disposed)
      throw new GatewiseError('disposed', `${name}: called after dispose(); compile it again`);
    const leaves: Argument[] = [];
    const key = signatureOf(args, leaves) + JSON.stringify(statics);
    const specialization = this.#specializations.get(key, () => {
      const signatures: NamedSignature[] = [];
      mapTree(args, isArgument, ({ dtype, shape }, path) => signatures.push({ name: path, dtype, shape }));
      return new Specialization(this.#memory.backend, {
        name,
        args: signatures,
        trace: (values) => {
          let next = 0;
          const traced = mapTree(args, isArgument, () => values[next++]);
          return trace(traced as MapTree<Args, Argument, Value>, statics);
        },
        frozen,
      });
    });
    return { specialization, args: leaves };
  }

  /** Queues a run and returns new tensors for the outputs, nested as the trace returned its values. */
  call(args: Args, statics: Statics): unknown {
    const prepared = this.prepare(args, statics);
    return prepared.specialization.call(this.#memory, prepared.args);
  }

  /** Queues a run whose outputs are all donated. */
  update(args: Args, statics: Statics): void {
    const prepared = this.prepare(args, statics);
    prepared.specialization.run(prepared.args, []);
  }

  dispose(): void {
    this.#disposed = true;
    this.#specializations.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
