// Generated from lib/linear_id.wgsl by shaders/reflect.ts; do not edit.

export const lib_linear_id: string = "fn linear_id(group: vec3u, groups: vec3u, local: u32, size: u32) -> u32 {\nreturn (group.y * groups.x + group.x) * size + local;\n}\n";
