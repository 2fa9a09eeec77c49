// Generated from lib/packed.wgsl by shaders/reflect.ts; do not edit.

export const lib_packed: string = "fn from_halves(quad: vec2u) -> vec4f {\nreturn vec4f(unpack2x16float(quad.x), unpack2x16float(quad.y));\n}\nfn from_bytes(quad: u32) -> vec4f {\nreturn unpack4x8snorm(quad);\n}\n";
