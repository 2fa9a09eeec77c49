// The product of matmul.wgsl for GPUs: a workgroup of GRID_ROWS by GRID_COLUMNS invocations computes one register tile each. It
// stages tiles of a and b in workgroup memory, 16 of k at a time, so that a load serves a whole row or column of invocations.

// @include lib/matmul.wgsl

override GRID_ROWS: u32 = 8;      // invocations along m
override GRID_COLUMNS: u32 = 8;   // invocations along n
override WORKGROUP: u32 = 64;     // GRID_ROWS * GRID_COLUMNS
override A_QUADS: u32 = 8;        // ROW_BLOCKS * GRID_ROWS: vec4s of the tile of a for one k
override B_QUADS: u32 = 8;        // COLUMN_BLOCKS * GRID_COLUMNS: vec4s of the tile of b for one k
override A_ALONG_K: bool = true;  // whether neighbouring elements of a are neighbours along k, not m
override B_ALONG_K: bool = true;  // the same of b, for k and n
const TILE_K = 16u;
const ROW_BLOCKS = 1u;            // of a register tile, in blocks of 4 by 4
const COLUMN_BLOCKS = 1u;
const LOADS = 1u;                 // blocks of 4 by 4 that each invocation stages
const R = 0u;                     // indices of unrolled blocks
const C = 0u;
const X = 0u;

// Tiles (k, quad of m or n): each vec4 holds four neighbours along m or n for one k.
var<workgroup> a_tile: array<vec4f, TILE_K * A_QUADS>;
var<workgroup> b_tile: array<vec4f, TILE_K * B_QUADS>;

// @splice load
// The loads for the layouts of this launch's matrices.
fn load_a(m: u32, k: u32) -> mat4x4f {
  return a_strided(m, k);
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

/// The quad along m or n and the quad along k of the i-th block, such that neighbours read neighbouring memory.
fn quads_of(i: u32, quads: u32, along_k: bool) -> vec2u {
  return select(vec2u(i % quads, i / quads), vec2u(i / 4u, i % 4u), along_k);
}

/// Stages the i-th block of the tiles of a and b that begin at m, n and k; zeros past `end`, the end of the split.
fn stage(i: u32, m: u32, n: u32, k: u32, end: u32) {
  if (i < 4u * A_QUADS) {
    let which = quads_of(i, A_QUADS, A_ALONG_K);
    let quad = k + 4u * which.y;
    var rows = mat4x4f();
    if (quad < end) {
      rows = transpose(load_a(m + 4u * which.x, quad));
    }
    let at = 4u * which.y * A_QUADS + which.x;
    a_tile[at] = rows[0];
    a_tile[at + A_QUADS] = rows[1];
    a_tile[at + 2u * A_QUADS] = rows[2];
    a_tile[at + 3u * A_QUADS] = rows[3];
  } else if (i < 4u * (A_QUADS + B_QUADS)) {
    let which = quads_of(i - 4u * A_QUADS, B_QUADS, B_ALONG_K);
    let quad = k + 4u * which.y;
    var rows = mat4x4f();
    if (quad < end) {
      rows = transpose(load_b(quad, n + 4u * which.x));
    }
    let at = 4u * which.y * B_QUADS + which.x;
    b_tile[at] = rows[0];
    b_tile[at + B_QUADS] = rows[1];
    b_tile[at + 2u * B_QUADS] = rows[2];
    b_tile[at + 3u * B_QUADS] = rows[3];
  }
}

@compute @workgroup_size(WORKGROUP)
fn matmul_tiled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let across = (params.n + 4u * B_QUADS - 1u) / (4u * B_QUADS);
  let tile = linear_id(group, groups, 1u);
  let m = (tile / across) * 4u * A_QUADS;
  let n = (tile % across) * 4u * B_QUADS;
  let row = local / GRID_COLUMNS;
  let column = local % GRID_COLUMNS;
  // @unroll R ROW_BLOCKS
  // @unroll C COLUMN_BLOCKS
  // @unroll I 4
  var sum_R_C_I = vec4f();
  // @end
  // @end
  // @end
  let start = group.z * params.depth;
  let end = min(start + params.depth, params.k);
  for (var step = 0u; step < (end - start + TILE_K - 1u) / TILE_K; step++) {
    let k = start + step * TILE_K;
    // @unroll X LOADS
    stage(local + X * WORKGROUP, m, n, k, end);
    // @end
    workgroupBarrier();
    for (var i = 0u; i < TILE_K; i++) {
      // Adjacent invocations own adjacent vec4s of each block, so that their reads hit different banks of workgroup memory.
      // @unroll C COLUMN_BLOCKS
      let b_C = b_tile[i * B_QUADS + C * GRID_COLUMNS + column];
      // @end
      // @unroll R ROW_BLOCKS
      let a_R = a_tile[i * A_QUADS + R * GRID_ROWS + row];
      // @unroll C COLUMN_BLOCKS
      // @unroll I 4
      sum_R_C_I += a_R[I] * b_C;
      // @end
      // @end
      // @end
    }
    workgroupBarrier();
  }
  // @unroll R ROW_BLOCKS
  // @unroll C COLUMN_BLOCKS
  // @unroll I 4
  write_result(sum_R_C_I, group.z, m + 4u * (R * GRID_ROWS + row) + I, n + 4u * (C * GRID_COLUMNS + column));
  // @end
  // @end
  // @end
}

fn write_result(product: vec4f, split: u32, m: u32, n: u32) {
  if (m < params.m && n < params.n) {
    write_quad(product, split, m, n);
  }
}
