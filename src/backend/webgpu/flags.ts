// WebGPU's flags, from the specification. The globals that name them (GPUBufferUsage and others) are not installed where an
// application passes a device in Node.

export const BufferUsage = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
  QUERY_RESOLVE: 0x200,
} as const;
export const MAP_READ_MODE = 0x1;
export const COMPUTE_STAGE = 0x4;
