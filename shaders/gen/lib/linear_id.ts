// Generated from lib/linear_id.wgsl by shaders/reflect.ts; do not edit.

export const lib_linear_id: string = "fn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {\nreturn id.y * groups.x * size + id.x;\n}\n";
