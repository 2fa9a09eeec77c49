// Generated from lib/operand.wgsl by shaders/reflect.ts; do not edit.

export const lib_operand: string = "struct Operand {\nstrides: vec4u,\noffset: u32,\n}\nfn element_index(operand: Operand, at: vec4u) -> u32 {\nreturn operand.offset + dot(at, operand.strides);\n}\n";
