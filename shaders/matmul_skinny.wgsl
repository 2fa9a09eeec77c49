// The product of matmul.wgsl for few rows, as in a stream: an invocation computes all ROWS of 4 columns, and K_SHARES invocations
// of a workgroup each sum a share of k and add their sums in a tree. Each element of b is read once, by coalesced loads.

// @include lib/matmul.wgsl

override WORKGROUP: u32 = 16;
override K_SHARES: u32 = 1;       // a power of two: 2 to the TREE_LEVELS
override ALONG_N: bool = false;   // whether four neighbours of b along n, and not along k, are next to each other
const ROWS = 1u;
const TREE_LEVELS = 1u;
const R = 0u;                     // indices of unrolled blocks
const H = 0u;

var<workgroup> partial: array<vec4f, ROWS * WORKGROUP>;

// @splice load
// The loads for the layouts of this launch's matrices.
fn load_a(m: u32, k: u32) -> vec4f {
  return a_row_strided(m, k);
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

@compute @workgroup_size(WORKGROUP)
fn matmul_skinny(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let columns = WORKGROUP / K_SHARES;
  // Neighbours read neighbouring memory.
  let share = select(local % K_SHARES, local / columns, ALONG_N);
  let column = select(local / K_SHARES, local % columns, ALONG_N);
  let n = 4u * (linear_id(group, groups, 1u) * columns + column);
  // @unroll R ROWS
  var sum_R = vec4f();
  // @end
  for (var quad = share; quad < (params.k + 3u) / 4u; quad += K_SHARES) {
    let b_block = load_b(4u * quad, n);
    // @unroll R ROWS
    sum_R += load_a(R, 4u * quad) * b_block;
    // @end
  }
  // @unroll H TREE_LEVELS
  let half_H = K_SHARES >> (H + 1u);
  if (share >= half_H && share < 2u * half_H) {
    // @unroll R ROWS
    partial[R * WORKGROUP + share * columns + column] = sum_R;
    // @end
  }
  workgroupBarrier();
  if (share < half_H) {
    // @unroll R ROWS
    sum_R += partial[R * WORKGROUP + (share + half_H) * columns + column];
    // @end
  }
  // @end
  if (share == 0u && n < params.n) {
    // @unroll R ROWS
    write_quad(sum_R, 0u, R, n);
    // @end
  }
}
