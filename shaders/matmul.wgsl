// Matrix product: out[m, n] = epilogue(sum over k of a[m, k] * b[k, n]) for strided matrices; a transpose is a view.
// One invocation computes a register tile of results by itself.

// @include lib/matmul.wgsl

override WORKGROUP: u32 = 16;

// @splice load
// The loads for the layouts of this launch's matrices.
fn load_a(m: u32, k: u32, lane: u32) -> mat4x4f {
  return a_strided(m, k);
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

// @include lib/matmul_block.wgsl

@compute @workgroup_size(WORKGROUP)
fn matmul(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  // Tiles are numbered row by row, so that the tiles of a narrow result fill workgroups too.
  let tile = linear_id(id, groups, WORKGROUP);
  let across = (params.n + 4u * COLUMN_BLOCKS - 1u) / (4u * COLUMN_BLOCKS);
  let m = (tile / across) * 4u * ROW_BLOCKS;
  if (m < params.m) {
    multiply_block(m, (tile % across) * 4u * COLUMN_BLOCKS, id.z, 0u);
  }
}
