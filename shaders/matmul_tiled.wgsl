// The product of matmul.wgsl for GPUs: a workgroup computes a tile of TALL by WIDE register tiles. It brings its operands
// into workgroup memory, 16 k at a time and each once, so that a load serves a whole row or column of invocations.

// @include lib/matmul.wgsl

override TALL: u32 = 8;
override WIDE: u32 = 8;
override WORKGROUP: u32 = 64;     // TALL * WIDE
override A_WIDTH: u32 = 8;        // BANDS * TALL: in vec4s, of one k
override B_WIDTH: u32 = 8;        // QUADS * WIDE
const DEPTH = 16u;
const BANDS = 1u;                 // these stand in for unrolled counts; each invocation brings BLOCKS blocks
const QUADS = 1u;
const BLOCKS = 1u;
const R = 0u;
const C = 0u;
const X = 0u;

// One vec4 over m or n for each of the k.
var<workgroup> a_tile: array<vec4f, DEPTH * A_WIDTH>;
var<workgroup> b_tile: array<vec4f, DEPTH * B_WIDTH>;

// @splice load
// How this launch's matrices lie.
fn load_a(m: u32, k: u32) -> mat4x4f {
  return a_strided(m, k);
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

// @splice order
// Which block of so many quads over m or n the i-th is, and of which k: neighbours read neighbouring memory.
fn a_block(i: u32) -> vec2u {
  return vec2u(i / 4u, i % 4u);
}

fn b_block(i: u32) -> vec2u {
  return vec2u(i / 4u, i % 4u);
}
// @end

/// Brings a block from the tiles' part of a or b, zeros where it is past the part's end.
fn stage(i: u32, m: u32, n: u32, k: u32, end: u32) {
  if (i < 4u * A_WIDTH) {
    let which = a_block(i);
    let quad = k + 4u * which.y;
    var rows = mat4x4f();
    if (quad < end) {
      rows = transpose(load_a(m + 4u * which.x, quad));
    }
    let at = 4u * which.y * A_WIDTH + which.x;
    a_tile[at] = rows[0];
    a_tile[at + A_WIDTH] = rows[1];
    a_tile[at + 2u * A_WIDTH] = rows[2];
    a_tile[at + 3u * A_WIDTH] = rows[3];
  } else if (i < 4u * (A_WIDTH + B_WIDTH)) {
    let which = b_block(i - 4u * A_WIDTH);
    let quad = k + 4u * which.y;
    var rows = mat4x4f();
    if (quad < end) {
      rows = transpose(load_b(quad, n + 4u * which.x));
    }
    let at = 4u * which.y * B_WIDTH + which.x;
    b_tile[at] = rows[0];
    b_tile[at + B_WIDTH] = rows[1];
    b_tile[at + 2u * B_WIDTH] = rows[2];
    b_tile[at + 3u * B_WIDTH] = rows[3];
  }
}

@compute @workgroup_size(WORKGROUP)
fn matmul_tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let across = (params.n + 4u * B_WIDTH - 1u) / (4u * B_WIDTH);
  let tile = linear_id(group, groups, 0u, 1u);
  let m = (tile / across) * 4u * A_WIDTH;
  let n = (tile % across) * 4u * B_WIDTH;
  let row = local / WIDE;
  let column = local % WIDE;
  // @unroll R BANDS
  // @unroll C QUADS
  // @unroll I 4
  var sum_R_C_I = vec4f();
  // @end
  // @end
  // @end
  let start = group.z * params.depth;
  let end = min(start + params.depth, params.k);
  for (var step = 0u; step < (end - start + DEPTH - 1u) / DEPTH; step++) {
    let k = start + step * DEPTH;
    // @unroll X BLOCKS
    stage(local + X * WORKGROUP, m, n, k, end);
    // @end
    workgroupBarrier();
    for (var i = 0u; i < DEPTH; i++) {
      // Neighbouring invocations own neighbouring vec4s of each band and quad, which lie in different banks.
      // @unroll C QUADS
      let b_C = b_tile[i * B_WIDTH + C * WIDE + column];
      // @end
      // @unroll R BANDS
      let a_R = a_tile[i * A_WIDTH + R * TALL + row];
      // @unroll C QUADS
      // @unroll I 4
      sum_R_C_I += a_R[I] * b_C;
      // @end
      // @end
      // @end
    }
    workgroupBarrier();
  }
  // @unroll R BANDS
  // @unroll C QUADS
  // @unroll I 4
  write_result(sum_R_C_I, group.z, m + 4u * (R * TALL + row) + I, n + 4u * (C * WIDE + column));
  // @end
  // @end
  // @end
}

fn write_result(product: vec4f, part: u32, m: u32, n: u32) {
  if (m < params.m && n < params.n) {
    write_quad(product, part, m, n);
  }
}
