// The product of matmul.wgsl for adapters whose subgroups are of four, and whose loads cost more than all else: the four
// invocations of a workgroup own neighbouring tiles of a row, and each loads a fourth of what all of them need of a.

enable subgroups;

// @include lib/matmul.wgsl

// @splice load
// How this launch's matrices lie.
fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {
  return all_of(a_row_strided(m + lane, k));
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

/// What each of the four has.
fn all_of(own: vec4f) -> mat4x4f {
  return mat4x4f(quadBroadcast(own, 0u), quadBroadcast(own, 1u), quadBroadcast(own, 2u), quadBroadcast(own, 3u));
}

/// A row of which each of the four has a number.
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
  let across = (params.n + 16u * QUADS - 1u) / (16u * QUADS);
  let tile = linear_id(group, groups, 0u, 1u);
  let m = (tile / across) * 4u * BANDS;
  if (m < params.m) {
    multiply_block(m, ((tile % across) * 4u + lane) * 4u * QUADS, group.z, lane);
  }
}
