// The parts of a net that its streams and trainers use.
import type { LoadedModel } from './loaded_model.ts';
import type { StreamPrograms } from './stream_programs.ts';
import type { Tensor } from './tensor.ts';

export interface NetContext extends LoadedModel {
  /** All parameters, in flat tensors; a trainer updates them in place. @throws GatewiseError `disposed` after the net's dispose. */
  readonly weights: readonly Tensor[];
  /** Shared by all streams of the net. */
  readonly streamPrograms: StreamPrograms;
  /** Streams and trainers that are disposed of with the net. */
  readonly dependents: Set<Disposable>;
}
