// The linear index in a grid that continues in y, since WebGPU limits x to 65535 workgroups: of an invocation, where workgroups
// are `size` invocations along x, or of a workgroup, whose id is given with a size of 1.

fn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {
  return id.y * groups.x * size + id.x;
}
