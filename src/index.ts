/// <reference lib="esnext.disposable" preserve="true" />
// gatewise: recurrent nets on WebGPU, run and trained. Everything public.
export { createRuntime, type LoadOptions, type Runtime, type RuntimeOptions } from './runtime/runtime.ts';
export type { CalibrateOptions } from './backend/backend.ts';
export type { CompileProgress } from './backend/webgpu/pipelines.ts';
export type { Compiled } from './runtime/compile.ts';
export type { HostData } from './runtime/host.ts';
export type { CapturedRun, CaptureOptions, Net, RunOptions } from './runtime/net.ts';
export type { Stream } from './runtime/stream.ts';
export { Tensor } from './runtime/tensor.ts';
export type { TuningStore } from './runtime/tuning_table.ts';

export type { Capture, Captured } from './nn/capture.ts';
export { Noise, type Context } from './nn/context.ts';
export { Dropout, type DropoutOptions } from './nn/dropout.ts';
export { Embedding, type EmbeddingOptions } from './nn/embedding.ts';
export type { Layer, Parameter, State, Values } from './nn/layer.ts';
export { LayerNorm, type LayerNormOptions } from './nn/layer_norm.ts';
export { Random } from './core/random.ts';
export { Linear, type LinearOptions } from './nn/linear.ts';
export { MinGRU, MinLSTM, type MinRNN, type MinRNNOptions } from './nn/min_rnn.ts';
export { GRU, LSTM, Recurrent, RNN, type RNNOptions } from './nn/recurrent.ts';
export {
  GRUCell,
  LSTMCell,
  RecurrentCell,
  RNNCell,
  type RecurrentCellOptions,
  type RNNCellOptions,
} from './nn/recurrent_cell.ts';
export type { RecurrentOptions } from './nn/recurrent_options.ts';
export { Sequential } from './nn/sequential.ts';

export { activation, type Activation, type ActivationName } from './cells/activations.ts';
export { defineCell, type Cell } from './cells/cell.ts';
export { apart, inputOnly, late, type CellDeclaration, type SpecialGate } from './cells/declaration.ts';
export { elmanRelu, elmanTanh, indrnn } from './cells/elman.ts';
export { gru, gruResetBefore, minimalGatedUnit } from './cells/gru.ts';
export { gruLayerNorm, lstmLayerNorm, normalise } from './cells/layer_norm.ts';
export { lstm, lstmCoupled, lstmPeephole, lstmProjected, slstm } from './cells/lstm.ts';
export { minGRU, minLSTM } from './cells/min_rnn.ts';
export { onnxGRU, onnxLSTM, onnxRNN } from './cells/onnx.ts';
export type { ONNXFlag, ONNXGRUOptions, ONNXLSTMOptions, ONNXOptions } from './cells/onnx.ts';
export { withRecurrentDropout, withZoneout, type ZoneoutRates } from './cells/regularised.ts';

export {
  abs,
  add,
  clamp,
  div,
  equal,
  exp,
  isfinite,
  less,
  log,
  logsigmoid,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  sigmoid,
  softplus,
  sqrt,
  square,
  sub,
  tanh,
  where,
} from './expr/arith.ts';
export { Value } from './graph/value.ts';
export { dropout, dropoutMask, type NumberSource } from './ops/dropout.ts';
export { gather } from './ops/gather.ts';
export { matmul } from './ops/matmul.ts';
export { weightProduct } from './ops/fake_quantize.ts';
export type { WeightPrecision } from './ops/weight_precision.ts';
export { linearScan, type LinearScanOptions } from './ops/linear_scan.ts';
export {
  recurrent,
  recurrentSequence,
  type RecurrentWeights,
  type SequenceArguments,
  type SequenceResult,
} from './ops/recurrent_sequence.ts';
export { sequenceMask } from './ops/sequence_mask.ts';
export {
  broadcast,
  chunk,
  concat,
  constant,
  max,
  mean,
  reshape,
  slice,
  split,
  sum,
  transpose,
  zeros,
} from './ops/structure.ts';
export type { Calibration } from './plan/calibration.ts';

export { convertWeights } from './io/convert_weights.ts';
export {
  layouts,
  type Directions,
  type TensorLayout,
  type WeightBlock,
  type WeightKind,
  type WeightLayout,
  type WeightPart,
} from './io/weight_layouts.ts';
export { parseSafetensors, serializeSafetensors, type SafetensorsFile } from './io/safetensors.ts';
export { float32Of, type NamedTensor } from './io/file_dtypes.ts';
export { GatewiseError, type ErrorCode } from './core/errors.ts';
export type { DType, Shape } from './core/shape.ts';
