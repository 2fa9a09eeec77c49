// The linear index of an invocation in a grid that continues in y, since WebGPU limits x to 65535 workgroups. A workgroup has
// `size` invocations along x; with the id of a workgroup and a size of 1 it is the index of the workgroup.

fn linear_id(id: vec3u, groups: vec3u, size: u32) -> u32 {
  return id.y * groups.x * size + id.x;
}
