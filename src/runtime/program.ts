// A traced and planned function of flat arguments, ready to run: what compile, net, trainer and stream are made of.
import type { Backend, DeviceBuffer, Executable } from '../backend/backend.ts';
import { GatewiseError, show } from '../core/errors.ts';
import { sameShape, sizeOf, type NumberArray } from '../core/shape.ts';
import { collapse, walk } from '../core/view.ts';
import { Value, type Signature } from '../graph/value.ts';
import type { Donate } from '../plan/lower.ts';
import { makePlan, type IndexLimit, type Plan } from '../plan/plan.ts';
import { printPlan } from '../plan/print.ts';
import { profileOf, type Profile } from '../plan/profile.ts';
import type { TunedKind } from '../backend/tuning.ts';
import type { HostTensor } from './host.ts';
import { rangeWithout, Tensor } from './tensor.ts';

export interface Traced {
  readonly outputs: readonly Value[];
  /** For each output, the argument whose memory it takes over. */
  readonly donate?: Donate;
}

export type Argument = Tensor | HostTensor;

export class Program {
  readonly plan: Plan;
  readonly #backend: Backend;
  readonly #name: string;
  readonly #donate: Donate;
  #executable: Executable;
  /** What errors call the arguments. */
  readonly #argumentNames: readonly string[];
  /** Memory for arguments that come from the host, kept between runs. */
  readonly #uploads: (DeviceBuffer | undefined)[];
  /** Whether some steps may run before all arguments are there. */
  readonly hasEarly: boolean;
  #disposed = false;

  /**
   * @param settled arguments that rarely change: what follows from them alone is not worked out in each run.
   * @param known arguments that are there before the others: what follows from them can be worked out `ahead`.
   */
  constructor(
    backend: Backend,
    name: string,
    signatures: readonly Signature[],
    trace: (args: readonly Value[]) => Traced,
    argumentNames: readonly string[] = [],
    settled: readonly number[] = [],
    known: readonly number[] = [],
  ) {
    const args = signatures.map((signature) => new Value(signature));
    const { outputs, donate = [] } = trace(args);
    this.#backend = backend;
    this.#name = name;
    this.#donate = donate;
    this.plan = makePlan(args, outputs, {
      target: backend.target,
      donate,
      frozen: settled,
      prefetchable: known,
    });
    this.hasEarly = this.plan.prefetchFrom.length > 0;
    this.#executable = backend.prepare(this.plan);
    this.#argumentNames = signatures.map((_, i) => argumentNames[i] ?? `argument ${i}`);
    this.#uploads = signatures.map(() => undefined);
  }

  /** Queues one run. @param outputs a buffer per output; those of donated outputs are not used. */
  run(
    args: readonly Argument[],
    outputs: readonly DeviceBuffer[],
    reads: readonly number[] = [],
  ): Promise<NumberArray>[] {
    const buffers = args.map((arg, i) => this.#bufferFor(arg, i));
    const own = outputs.map((buffer, i) => {
      const donor = this.#donate[i];
      return donor === undefined ? buffer : buffers[donor];
    });
    return this.#executable.run(buffers, own, reads);
  }

  /**
   * Queues what a later run with these arguments can do without its others. @param args those others are undefined
   */
  ahead(args: readonly (Tensor | undefined)[], outputs: readonly (DeviceBuffer | undefined)[]): void {
    if (this.#disposed) return;
    // Nothing reads or writes where the others are to be.
    const [nothing] = args.flatMap((arg) => arg?.buffer ?? []);
    this.#executable.prefetch(
      args.map((arg) => arg?.buffer ?? nothing),
      outputs.map((buffer) => buffer ?? nothing),
    );
  }

  /** Times each step, on copies of the arguments: one that a result would overwrite stays what it is. */
  profile(args: readonly Argument[]): Promise<Profile> {
    return this.#onCopies(args, async (inputs, outputs) =>
      profileOf(this.plan, await this.#executable.time(inputs, outputs), this.#backend.description),
    );
  }

  /** Finds out which variants of its steps are fastest, on copies of the arguments, and goes by it from the next run on. */
  tune(args: readonly Argument[]): Promise<readonly TunedKind[]> {
    return this.#onCopies(args, async (inputs, outputs) => {
      const tuned = await this.#executable.tune(inputs, outputs);
      if (this.#disposed)
        throw new GatewiseError('disposed', 'tune: what is tuned was disposed of; await the tuning first');
      // What another program has found out counts as well.
      const replaced = this.#executable;
      this.#executable = this.#backend.prepare(this.plan);
      replaced.dispose();
      return tuned;
    });
  }

  /** The plan as text, as it is run. */
  explain(): string {
    return printPlan(this.plan, this.#executable.launched());
  }

  async #onCopies<T>(
    args: readonly Argument[],
    action: (inputs: readonly DeviceBuffer[], outputs: readonly DeviceBuffer[]) => Promise<T>,
  ): Promise<T> {
    const backend = this.#backend;
    const own: DeviceBuffer[] = [];
    const keep = (buffer: DeviceBuffer): DeviceBuffer => {
      own.push(buffer);
      return buffer;
    };
    try {
      const inputs = args.map((arg, i) => keep(backend.copy(this.#bufferFor(arg, i))));
      const outputs = this.plan.outputs.map(({ view, dtype }, i) => {
        const donor = this.#donate[i];
        return donor === undefined ? keep(backend.createBuffer(sizeOf(view.shape), dtype)) : inputs[donor];
      });
      return await action(inputs, outputs);
    } finally {
      for (const buffer of own) buffer.destroy();
    }
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

  /** What is on the device cannot be looked at from here, so that a tensor is judged by its smallest and its largest. */
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
