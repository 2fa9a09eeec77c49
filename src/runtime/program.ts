// A traced and planned function of named arguments, ready to run, and a cache of such programs by their signatures.
import type { Backend, DeviceBuffer, Executable } from '../backend/backend.ts';
import type { TunedKind } from '../backend/tuning.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { Recent } from '../core/recent.ts';
import { sameShape, sizeOf, type DType, type NumberArray, type Shape } from '../core/shape.ts';
import { leavesOf, mapTree, type Tree } from '../core/tree.ts';
import { collapse, walk } from '../core/view.ts';
import { Value, type Signature } from '../graph/value.ts';
import { makePlan, type IndexLimit, type Plan } from '../plan/plan.ts';
import { printPlan } from '../plan/print.ts';
import { profileOf, type Profile } from '../plan/profile.ts';
import type { HostTensor } from './host.ts';
import { rangeWithout, Tensor, type Argument } from './tensor.ts';

/** Memory of a backend. */
export interface Memory {
  readonly backend: Backend;
  allocate(shape: Shape, dtype: DType): Tensor;
}

/** Arguments by name. Errors call them so. */
export type NamedArguments = Readonly<Record<string, Argument>>;

export interface Traced {
  readonly outputs: Tree<Value>;
  /** For each output, in order, the argument whose memory it replaces, if any. */
  readonly donate?: readonly (string | undefined)[];
}

export interface ProgramOptions {
  /** What errors call the program. */
  readonly name: string;
  /** Arguments by name, in the plan's order. Only their shapes and dtypes are read. */
  readonly args: Readonly<Record<string, Signature>>;
  readonly trace: (args: Readonly<Record<string, Value>>) => Traced;
  /** What the graph depends on besides the name and the arguments. */
  readonly variant?: string;
  /** Arguments that rarely change (weights during inference). Steps that depend on nothing else are memoised. */
  readonly frozen?: readonly string[];
  /** Arguments that are known before the others. `prefetch` queues the steps that depend on these and frozen ones alone. */
  readonly prefetchable?: readonly string[];
}

/** Least recently used programs beyond this number are freed, and planned again when they are needed. */
const MAX_PROGRAMS = 16;

export class ProgramCache {
  readonly #backend: Backend;
  readonly #programs = new Recent<Program>(MAX_PROGRAMS, (program) => program.dispose());

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The program for arguments of these names, dtypes and shapes, traced and planned at the first use. */
  get(options: ProgramOptions): Program {
    const { name, args, variant = '' } = options;
    const signature = Object.entries(args).map(
      ([key, { dtype, shape }]) => `${key} ${dtype}[${shape.join()}]`,
    );
    return this.#programs.get(
      [name, variant, ...signature].join(';'),
      () => new Program(this.#backend, options),
    );
  }

  clear(): void {
    this.#programs.clear();
  }
}

const isValue = (node: unknown): node is Value => node instanceof Value;

export class Program {
  readonly plan: Plan;
  readonly #backend: Backend;
  readonly #name: string;
  readonly #argumentNames: readonly string[];
  /** What the trace returned, for the nesting of its values. */
  readonly #outputs: Tree<Value>;
  /** For each output, the position of the argument whose memory it replaces. */
  readonly #donate: readonly (number | undefined)[];
  #executable: Executable;
  /** Device memory of arguments that come from the host, reused by later runs. */
  readonly #uploads: (DeviceBuffer | undefined)[];
  #disposed = false;

  constructor(backend: Backend, options: ProgramOptions) {
    const { name, args: signatures, trace, frozen = [], prefetchable = [] } = options;
    const names = Object.keys(signatures);
    const args = Object.values(signatures).map((signature) => new Value(signature));
    const { outputs, donate = [] } = trace(Object.fromEntries(names.map((key, i) => [key, args[i]])));
    const position = (key: string): number => names.indexOf(key);
    this.#backend = backend;
    this.#name = name;
    this.#argumentNames = names;
    this.#outputs = outputs;
    this.#donate = donate.map((key) => (key === undefined ? undefined : position(key)));
    this.plan = makePlan(args, leavesOf(outputs, isValue), {
      target: backend.target,
      donate: this.#donate,
      frozen: frozen.map(position),
      prefetchable: prefetchable.map(position),
    });
    this.#executable = backend.prepare(this.plan);
    this.#uploads = names.map(() => undefined);
  }

  /** Queues a run and returns new tensors for the outputs, nested as the trace returned its values. */
  call(memory: Memory, args: NamedArguments): unknown {
    const tensors = this.plan.outputs.map(({ view, dtype }) => memory.allocate(view.shape, dtype));
    this.run(
      args,
      tensors.map(({ buffer }) => buffer),
    );
    let next = 0;
    return mapTree(this.#outputs, isValue, () => tensors[next++]);
  }

  /**
   * Queues a run.
   * @param outputs A buffer for each output. A donated output takes that of its argument instead.
   * @param reads The outputs to read back.
   */
  run(
    args: NamedArguments,
    outputs: readonly DeviceBuffer[],
    reads: readonly number[] = [],
  ): Promise<NumberArray>[] {
    const buffers = this.#upload(args);
    return this.#executable.run(
      buffers,
      outputs.map((buffer, i) => buffers[this.#donate[i] ?? -1] ?? buffer),
      reads,
    );
  }

  /** Whether steps may run before all arguments are known. */
  get hasPrefetch(): boolean {
    return this.plan.prefetchFrom.length > 0;
  }

  /**
   * Queues the steps that depend on frozen and prefetchable arguments alone. The next run reuses their results if these
   * arguments are unchanged, and recomputes them otherwise.
   */
  prefetch(args: Readonly<Record<string, Tensor>>, outputs: readonly (DeviceBuffer | undefined)[]): void {
    if (this.#disposed) return;
    // No prefetched step reads the other arguments or writes the other outputs.
    const unused = Object.values(args)[0].buffer;
    this.#executable.prefetch(
      this.#argumentNames.map((name) => args[name]?.buffer ?? unused),
      outputs.map((buffer) => buffer ?? unused),
    );
  }

  /** Times each step on copies of the arguments, so that donated ones stay unchanged. */
  profile(args: NamedArguments): Promise<Profile> {
    return this.#onCopies(args, async (inputs, outputs) =>
      profileOf(this.plan, await this.#executable.time(inputs, outputs), this.#backend.description),
    );
  }

  /** Measures which variants of its steps are fastest, on copies of the arguments, and uses them from the next run on. */
  tune(args: NamedArguments): Promise<readonly TunedKind[]> {
    return this.#onCopies(args, async (inputs, outputs) => {
      const tuned = await this.#executable.tune(inputs, outputs);
      if (this.#disposed)
        throw new GatewiseError('disposed', 'tune: what is tuned was disposed of; await the tuning first');
      // Prepared again even if nothing was measured: another program may have tuned the same kinds of steps.
      const replaced = this.#executable;
      this.#executable = this.#backend.prepare(this.plan);
      replaced.dispose();
      return tuned;
    });
  }

  /** The plan as text, with the variants and dispatches that the backend launches. */
  explain(): string {
    return printPlan(this.plan, this.#executable.launched());
  }

  async #onCopies<T>(
    args: NamedArguments,
    action: (inputs: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]) => Promise<T>,
  ): Promise<T> {
    const backend = this.#backend;
    const copies: DeviceBuffer[] = [];
    try {
      for (const buffer of this.#upload(args)) copies.push(backend.copy(buffer));
      const inputs = copies.slice();
      const outputs = this.plan.outputs.map(({ view, dtype }, i) => {
        const donor = inputs[this.#donate[i] ?? -1];
        if (donor !== undefined) return donor;
        const buffer = backend.createBuffer(sizeOf(view.shape), dtype);
        copies.push(buffer);
        return buffer;
      });
      return await action(inputs, outputs);
    } finally {
      for (const buffer of copies) buffer.destroy();
    }
  }

  #upload(args: NamedArguments): DeviceBuffer[] {
    return this.#argumentNames.map((name, i) => this.#bufferFor(args[name], i));
  }

  #bufferFor(arg: Argument, index: number): DeviceBuffer {
    const expected = this.plan.arguments[index];
    if (arg.dtype !== expected.dtype || !sameShape(arg.shape, expected.shape)) {
      throw new GatewiseError(
        'shape',
        `${this.#name}: ${this.#argumentNames[index]} must be ${expected.dtype} ${show(expected.shape)}, got ${arg.dtype} ${show(arg.shape)}`,
      );
    }
    if (arg instanceof Tensor) {
      if (arg.backend !== this.#backend) {
        throw new GatewiseError(
          'argument',
          `${this.#name}: ${this.#argumentNames[index]} is a tensor of another runtime; read() it there and pass the data`,
        );
      }
      this.#checkRange(arg, index);
      return arg.buffer;
    }
    this.#checkIndices(arg, index);
    const buffer = (this.#uploads[index] ??= this.#backend.createBuffer(sizeOf(arg.shape), arg.dtype));
    this.#backend.write(buffer, arg.data);
    return buffer;
  }

  /** Elements on the device cannot be read here, so that a tensor is checked by its smallest and largest element. */
  #checkRange({ range }: Tensor, index: number): void {
    if (range === undefined) return;
    for (const limit of this.plan.indexLimits) {
      const { smallest, largest } = rangeWithout(range, limit.except);
      if (limit.argument !== index || (smallest >= firstOf(limit) && largest < limit.limit)) continue;
      throw new GatewiseError(
        'argument',
        `${this.#name}: ${this.#argumentNames[index]} is a tensor of ${limit.kind === 'index' ? 'indices' : 'lengths'} from ${range.smallest} to ${range.largest}; expected ${expected(limit)}. A tensor is checked as a whole: if only a part of it is read so, pass that part as a tensor of its own`,
      );
    }
  }

  #checkIndices({ data }: HostTensor, index: number): void {
    for (const limit of this.plan.indexLimits) {
      if (limit.argument !== index) continue;
      walk(collapse([limit.view]), ([at]) => {
        if ((data[at] >= firstOf(limit) && data[at] < limit.limit) || data[at] === limit.except) return;
        throw new GatewiseError(
          'argument',
          `${this.#name}: element ${at} of ${this.#argumentNames[index]} is the ${limit.kind} ${data[at]}; expected ${expected(limit)}`,
        );
      });
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#executable.dispose();
    for (const buffer of this.#uploads) buffer?.destroy();
    this.#uploads.fill(undefined);
  }
}

const firstOf = ({ kind }: IndexLimit): number => (kind === 'index' ? 0 : 1);

function expected(limit: IndexLimit): string {
  return `${firstOf(limit)} to ${limit.limit - 1}${limit.except === undefined ? '' : ` or ${limit.except}`}`;
}
