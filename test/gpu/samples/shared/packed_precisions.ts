import type { PackedPrecision } from '../../../../src/ops/weight_precision.ts';

export const packedPrecisions: readonly PackedPrecision[] = ['f16', 'int8'];
