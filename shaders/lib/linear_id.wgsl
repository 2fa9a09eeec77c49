// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups.

fn linear_id(group: vec3u, groups: vec3u, local: u32, size: u32) -> u32 {
  return (group.y * groups.x + group.x) * size + local;
}
