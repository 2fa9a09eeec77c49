// How PyTorch, ONNX, Keras, TensorFlow and WebNN store the weights of recurrent layers: names, order of gates, transposition
// of matrices, number of biases.

/**
 * The cell. `gru` resets after the recurrent product, as PyTorch does, `gru_reset_before` before it;
 * `lstm_coupled` has no forget gate, but 1 - i.
 */
export type WeightKind = 'rnn' | 'lstm' | 'lstm_coupled' | 'gru' | 'gru_reset_before';

/**
 * The parts of a layer's weights. Tensors consist of blocks of one part and, but for `weight_hr`, one gate. R is the size of h.
 * `bias` is the sum of `bias_ih` and `bias_hh`, where a framework stores only that; `weight_c` are peepholes.
 */
export type WeightPart =
  | 'weight_ih' // (H, I)
  | 'weight_hh' // (H, R)
  | 'bias_ih' // (H)
  | 'bias_hh' // (H)
  | 'bias' // (H)
  | 'weight_hr' // (R, H)
  | 'weight_c'; // (H)

export interface WeightBlock {
  readonly part: WeightPart;
  /** By PyTorch's name: a of rnn, i f g o of lstm, r z n of gru. */
  readonly gate: string;
}

/** How a tensor is assembled from blocks. */
export interface TensorLayout {
  readonly rank: 1 | 2;
  /** Matrices are (inputs, units) instead of (units, inputs). */
  readonly transposed: boolean;
  /** Rows of blocks from top to bottom, each from left to right. A bias or a peephole is a row. */
  readonly blocks: readonly (readonly WeightBlock[])[];
  /** Whether it may be missing although others of its group are present; it then is zeros. */
  readonly optional?: boolean;
}

/** Where the two directions of a layer are stored. */
export type Directions =
  /** On the first axis of every tensor, even if there is only one direction. */
  | { readonly axis: true }
  /** In separate tensors. `layered`: names contain the layer's number, so that the tensors of other layers may be present. */
  | {
      readonly name: (tensor: string, layer: number, direction: number, directions: number) => string;
      readonly layered?: boolean;
    };

export interface WeightLayout {
  /** For errors: `keras lstm`. */
  readonly name: string;
  readonly kind: WeightKind;
  readonly directions: Directions;
  readonly tensors: Readonly<Record<string, TensorLayout>>;
  /** What the framework adds to the forget gate's bias at run time; 0 unless given. */
  readonly forgetBias?: number;
  /** Which cell state the peephole of the gate o reads: the one after the step unless given. */
  readonly outputPeephole?: 'before' | 'after';
}

/** The gates of each kind, in PyTorch's order. */
export const gatesOf: Readonly<Record<WeightKind, string>> = {
  rnn: 'a',
  lstm: 'ifgo',
  lstm_coupled: 'igo',
  gru: 'rzn',
  gru_reset_before: 'rzn',
};

/** For each part a line of blocks, one for each gate. */
const lines = (parts: readonly WeightPart[], gates: string): WeightBlock[][] =>
  parts.map((part) => [...gates].map((gate) => ({ part, gate })));
const matrix = (transposed: boolean, blocks: WeightBlock[][]): TensorLayout => ({
  rank: 2,
  transposed,
  blocks,
});

/** A matrix (G·H, inputs). */
const tall = (part: WeightPart, gates: string): TensorLayout =>
  matrix(
    false,
    lines([part], gates)[0].map((block) => [block]),
  );
/** Matrices (inputs, G·H), one above the other. */
const wide = (parts: readonly WeightPart[], gates: string): TensorLayout => matrix(true, lines(parts, gates));
/** Vectors (G·H) as rows of a matrix. */
const rows = (parts: readonly WeightPart[], gates: string): TensorLayout =>
  matrix(false, lines(parts, gates));
/** A vector (G·H), or several in one. */
const vector = (parts: readonly WeightPart[], gates: string): TensorLayout => ({
  rank: 1,
  transposed: false,
  blocks: [lines(parts, gates).flat()],
});

/** The tensors of a layer with two directions have a prefix for each direction. */
const prefixed = (...prefixes: readonly [string, string]): Directions => ({
  name: (name, _, direction, directions) => (directions === 1 ? name : `${prefixes[direction]}/${name}`),
});

// Two biases; a name for each layer and direction. Peepholes, which PyTorch does not have, are named as its other weights.
function pytorch(kind: WeightKind, outputPeephole: 'before' | 'after' = 'after'): WeightLayout {
  const gates = gatesOf[kind];
  return {
    name: `pytorch ${kind}${outputPeephole === 'before' ? '_peephole_before' : ''}`,
    kind,
    outputPeephole,
    directions: {
      name: (name, layer, direction) => `${name}_l${layer}${['', '_reverse'][direction]}`,
      layered: true,
    },
    tensors: {
      weight_ih: tall('weight_ih', gates),
      weight_hh: tall('weight_hh', gates),
      bias_ih: vector(['bias_ih'], gates),
      bias_hh: vector(['bias_hh'], gates),
      ...(kind === 'lstm' && { weight_hr: tall('weight_hr', 'h') }),
      ...(kind.startsWith('lstm') && { weight_ci: vector(['weight_c'], 'i') }),
      ...(kind === 'lstm' && { weight_cf: vector(['weight_c'], 'f') }),
      ...(kind.startsWith('lstm') && { weight_co: vector(['weight_c'], 'o') }),
    },
  };
}

// https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html: two biases in one tensor. An LSTM with
// `input_forget` keeps rows for the forget gate all the same.
const onnx = (kind: WeightKind, gates: string): WeightLayout => ({
  name: `onnx ${kind}`,
  kind,
  directions: { axis: true },
  tensors: {
    W: tall('weight_ih', gates),
    R: tall('weight_hh', gates),
    B: vector(['bias_ih', 'bias_hh'], gates),
    ...(kind.startsWith('lstm') && { P: vector(['weight_c'], 'iof') }),
  },
});

// Keras and TF.js: one bias, but two for the GRU that resets after the product. Bidirectional layers hold two layers.
const keras = (kind: WeightKind, gates: string): WeightLayout => ({
  name: `keras ${kind}`,
  kind,
  directions: prefixed('forward', 'backward'),
  tensors: {
    kernel: wide(['weight_ih'], gates),
    recurrent_kernel: wide(['weight_hh'], gates),
    bias: kind === 'gru' ? rows(['bias_ih', 'bias_hh'], gates) : vector(['bias'], gates),
  },
});

// TensorFlow 1's cells: one kernel for [x; h], one bias, forget bias added when the cell runs (LSTMCell, BasicLSTMCell
// and TF.js's basicLSTMCell: 1 unless said otherwise).
const tensorflow = (kind: WeightKind, tensors: WeightLayout['tensors'], forgetBias = 0): WeightLayout => ({
  name: `tensorflow ${kind}`,
  kind,
  directions: prefixed('fw', 'bw'),
  tensors,
  forgetBias,
});
const XH = ['weight_ih', 'weight_hh'] as const;

// https://www.w3.org/TR/webnn/#api-mlgraphbuilder-lstm and -gru: either bias may be missing. Its peephole of the gate o
// reads the cell state before the step, where ONNX's and TensorFlow's read the one after it.
const webnn = (kind: WeightKind, gates: string): WeightLayout => ({
  name: `webnn ${kind} (${gates})`,
  kind,
  directions: { axis: true },
  outputPeephole: 'before',
  tensors: {
    weight: tall('weight_ih', gates),
    recurrentWeight: tall('weight_hh', gates),
    bias: { ...vector(['bias_ih'], gates), optional: true },
    recurrentBias: { ...vector(['bias_hh'], gates), optional: true },
    ...(kind === 'lstm' && { peepholeWeight: vector(['weight_c'], 'iof') }),
  },
});

/** How each framework stores each kind of layer: `convertWeights` reads and writes all of them. */
export const layouts = {
  pytorch: {
    rnn: pytorch('rnn'),
    lstm: pytorch('lstm'),
    // For a cell whose gate o reads the old c; that of `lstmPeephole` reads the new one.
    lstm_peephole_before: pytorch('lstm', 'before'),
    lstm_coupled: pytorch('lstm_coupled'),
    gru: pytorch('gru'),
    gru_reset_before: pytorch('gru_reset_before'),
  },
  onnx: {
    rnn: onnx('rnn', 'a'),
    lstm: onnx('lstm', 'iofg'),
    lstm_coupled: onnx('lstm_coupled', 'iofg'),
    gru: onnx('gru', 'zrn'),
    gru_reset_before: onnx('gru_reset_before', 'zrn'),
  },
  keras: {
    rnn: keras('rnn', 'a'),
    lstm: keras('lstm', 'ifgo'),
    gru: keras('gru', 'zrn'),
    gru_reset_before: keras('gru_reset_before', 'zrn'),
  },
  tensorflow: {
    rnn: tensorflow('rnn', { kernel: wide(XH, 'a'), bias: vector(['bias'], 'a') }),
    lstm: tensorflow(
      'lstm',
      {
        kernel: wide(XH, 'igfo'),
        bias: vector(['bias'], 'igfo'),
        w_i_diag: vector(['weight_c'], 'i'),
        w_f_diag: vector(['weight_c'], 'f'),
        w_o_diag: vector(['weight_c'], 'o'),
        'projection/kernel': wide(['weight_hr'], 'h'),
      },
      1,
    ),
    gru_reset_before: tensorflow('gru_reset_before', {
      'gates/kernel': wide(XH, 'rz'),
      'gates/bias': vector(['bias'], 'rz'),
      'candidate/kernel': wide(XH, 'n'),
      'candidate/bias': vector(['bias'], 'n'),
    }),
  },
  webnn: {
    lstm: webnn('lstm', 'iofg'),
    lstm_ifgo: webnn('lstm', 'ifgo'),
    gru: webnn('gru', 'zrn'),
    gru_rzn: webnn('gru', 'rzn'),
    gru_reset_before: webnn('gru_reset_before', 'zrn'),
    gru_reset_before_rzn: webnn('gru_reset_before', 'rzn'),
  },
} satisfies Readonly<Record<string, Readonly<Record<string, WeightLayout>>>>;
