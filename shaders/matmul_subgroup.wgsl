// The product of matmul.wgsl for adapters with subgroups of four on which loads cost more than arithmetic: the four invocations
// of a workgroup own adjacent tiles of a row, and each loads a quarter of their common block of a and broadcasts it.

enable subgroups;

// @include lib/matmul.wgsl

// @splice load
// The loads for the layouts of this launch's matrices.
fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {
  return all_of(a_row_strided(m + lane, k));
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

/// The vectors of all four invocations.
fn all_of(own: vec4f) -> mat4x4f {
  return mat4x4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}

/// A block with one row, of which each of the four invocations has an element.
fn row_of(own: f32) -> mat4x4f {
  let row = vec4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
  return mat4x4f(row, vec4f(), vec4f(), vec4f());
}

// @include lib/matmul_block.wgsl

@compute @workgroup_size(4)
fn matmul_subgroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let across = (params.n + 16u * COLUMN_BLOCKS - 1u) / (16u * COLUMN_BLOCKS);
  let tile = linear_id(group, groups, 1u);
  let m = (tile / across) * 4u * ROW_BLOCKS;
  if (m < params.m) {
    multiply_block(m, ((tile % across) * 4u + lane) * 4u * COLUMN_BLOCKS, group.z, lane);
  }
}
