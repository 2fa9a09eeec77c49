// The product of matmul.wgsl for few rows, as a stream's: all ROWS of them by 4 columns for each invocation. K_LANES of a
// workgroup share k between them, and add up what they have in a tree; b is read once, neighbours reading neighbours.

// @include lib/matmul.wgsl

override WORKGROUP: u32 = 16;
override K_LANES: u32 = 1;        // of the workgroup, a power of two: 2 to the HALVINGS
const ROWS = 1u;                  // these stand in for unrolled counts
const HALVINGS = 1u;
const R = 0u;
const H = 0u;

var<workgroup> partial: array<vec4f, ROWS * WORKGROUP>;

// @splice load
// How this launch's matrices lie.
fn load_a(m: u32, k: u32) -> vec4f {
  return a_row_strided(m, k);
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

// @splice place
// Which k and which columns an invocation has: neighbours read neighbouring memory.
fn k_lane(local: u32) -> u32 {
  return local % K_LANES;
}

fn n_lane(local: u32) -> u32 {
  return local / K_LANES;
}
// @end

@compute @workgroup_size(WORKGROUP)
fn matmul_skinny(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let own_k = k_lane(local);
  let own_n = n_lane(local);
  let n_lanes = WORKGROUP / K_LANES;
  let n = 4u * (linear_id(group, groups, 0u, n_lanes) + own_n);
  // @unroll R ROWS
  var sum_R = vec4f();
  // @end
  for (var quad = own_k; quad < (params.k + 3u) / 4u; quad += K_LANES) {
    let b_block = load_b(4u * quad, n);
    // @unroll R ROWS
    sum_R += load_a(R, 4u * quad) * b_block;
    // @end
  }
  // @unroll H HALVINGS
  let half_H = K_LANES >> (H + 1u);
  if (own_k >= half_H && own_k < 2u * half_H) {
    // @unroll R ROWS
    partial[R * WORKGROUP + own_k * n_lanes + own_n] = sum_R;
    // @end
  }
  workgroupBarrier();
  if (own_k < half_H) {
    // @unroll R ROWS
    sum_R += partial[R * WORKGROUP + (own_k + half_H) * n_lanes + own_n];
    // @end
  }
  // @end
  if (own_k == 0u && n < params.n) {
    // @unroll R ROWS
    write_quad(sum_R, 0u, R, n);
    // @end
  }
}
