// out[m, n] = epilogue(sum over k of a[m, k] * b[k, n]), over strided matrices: a transpose is a view.
// One invocation computes a tile of results in registers and shares nothing with others.

// @include lib/matmul.wgsl

override WORKGROUP: u32 = 16;

// @splice load
// How this launch's matrices lie.
fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {
  return a_strided(m, k);
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

// @include lib/matmul_block.wgsl

@compute @workgroup_size(WORKGROUP)
fn matmul(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  // Tiles are counted row by row, so that a narrow result still fills a workgroup.
  let tile = linear_id(group, groups, local, WORKGROUP);
  let across = (params.n + 4u * QUADS - 1u) / (4u * QUADS);
  let m = (tile / across) * 4u * BANDS;
  if (m < params.m) {
    multiply_block(m, (tile % across) * 4u * QUADS, group.z, 0u);
  }
}
