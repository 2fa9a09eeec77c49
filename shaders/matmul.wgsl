// out[m, n] = epilogue(sum over k of a[m, k] * b[k, n]), over strided matrices: a transpose is a view.
// One invocation computes a tile of 4 BANDS by 4 QUADS results in registers, from blocks of 4 by 4 operands.

// @include lib/nonlinear.wgsl
// @include lib/operand.wgsl
// @include lib/linear_id.wgsl

struct Params {
  m: u32,
  n: u32,
  k: u32,
  a_strides: vec2u,               // m, k
  b_strides: vec2u,               // k, n
  a_offset: u32,
  b_offset: u32,
  operands: array<Operand, 6>,    // in2 to in6, then out; axes: 0, 0, m, n
}

override WORKGROUP: u32 = 16;
const BANDS = 1u;                 // these stand in for unrolled counts
const QUADS = 1u;
const R = 0u;
const C = 0u;
const I = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> in2: array<f32>;
@group(0) @binding(4) var<storage, read> in3: array<f32>;
@group(0) @binding(5) var<storage, read> in4: array<f32>;
@group(0) @binding(6) var<storage, read> in5: array<f32>;
@group(0) @binding(7) var<storage, read> in6: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;
// The same matrices as vec4s, for those whose rows or columns lie so that four neighbours are one load.
@group(0) @binding(9) var<storage, read> a4: array<vec4f>;
@group(0) @binding(10) var<storage, read> b4: array<vec4f>;

// A block of a has a vec4 over k for each of four m; a block of b a vec4 over n for each of four k. What lies past the
// edge in m or n is read but not written; past k it is 0.

fn a_strided(m: u32, k: u32) -> mat4x4f {
  var rows: mat4x4f;
  for (var i = 0u; i < 4u; i++) {
    let at = params.a_offset + (m + i) * params.a_strides.x + k * params.a_strides.y;
    for (var j = 0u; j < 4u; j++) {
      if (k + j < params.k) {
        rows[i][j] = a[at + j * params.a_strides.y];
      }
    }
  }
  return rows;
}

fn a_along_k(m: u32, k: u32) -> mat4x4f {
  let at = (params.a_offset + m * params.a_strides.x + k) / 4u;
  let step = params.a_strides.x / 4u;
  return mat4x4f(a4[at], a4[at + step], a4[at + 2u * step], a4[at + 3u * step]);
}

fn a_along_m(m: u32, k: u32) -> mat4x4f {
  let at = (params.a_offset + m + k * params.a_strides.y) / 4u;
  let step = params.a_strides.y / 4u;
  return transpose(mat4x4f(a4[at], a4[at + step], a4[at + 2u * step], a4[at + 3u * step]));
}

fn b_strided(k: u32, n: u32) -> mat4x4f {
  var columns: mat4x4f;
  for (var i = 0u; i < 4u; i++) {
    let at = params.b_offset + (k + i) * params.b_strides.x + n * params.b_strides.y;
    if (k + i < params.k) {
      for (var j = 0u; j < 4u; j++) {
        columns[i][j] = b[at + j * params.b_strides.y];
      }
    }
  }
  return columns;
}

fn b_along_n(k: u32, n: u32) -> mat4x4f {
  let at = (params.b_offset + k * params.b_strides.x + n) / 4u;
  let step = params.b_strides.x / 4u;
  return mat4x4f(b4[at], b4[at + step], b4[at + 2u * step], b4[at + 3u * step]);
}

fn b_along_k(k: u32, n: u32) -> mat4x4f {
  let at = (params.b_offset + k + n * params.b_strides.y) / 4u;
  let step = params.b_strides.y / 4u;
  return transpose(mat4x4f(b4[at], b4[at + step], b4[at + 2u * step], b4[at + 3u * step]));
}

// @splice load
// How this launch's matrices lie.
fn load_a(m: u32, k: u32) -> mat4x4f {
  return a_strided(m, k);
}

fn load_b(k: u32, n: u32) -> mat4x4f {
  return b_strided(k, n);
}
// @end

// @splice epilogue
fn epilogue(product: f32, at: vec4u) -> f32 {
  return product;
}
// @end

// @splice index
fn result_index(at: vec4u) -> u32 {
  return element_index(params.operands[5], at);
}
// @end

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
  let n = (tile % across) * 4u * QUADS;
  if (m >= params.m) {
    return;
  }
  // @unroll R BANDS
  // @unroll C QUADS
  // @unroll I 4
  var sum_R_C_I = vec4f();
  // @end
  // @end
  // @end
  for (var quad = 0u; quad < (params.k + 3u) / 4u; quad++) {
    let k = quad * 4u;
    // @unroll C QUADS
    let b_C = load_b(k, n + 4u * C);
    // @end
    // @unroll R BANDS
    let a_R = load_a(m + 4u * R, k);
    // @unroll C QUADS
    // @unroll I 4
    sum_R_C_I += a_R[I].x * b_C[0] + a_R[I].y * b_C[1] + a_R[I].z * b_C[2] + a_R[I].w * b_C[3];
    // @end
    // @end
    // @end
  }
  // The sums leave the registers here, so that the epilogue is compiled once and not for each of them.
  var product: array<vec4f, BANDS * QUADS * 4u>;
  // @unroll R BANDS
  // @unroll C QUADS
  // @unroll I 4
  product[(R * 4u + I) * QUADS + C] = sum_R_C_I;
  // @end
  // @end
  // @end
  for (var r = 0u; r < min(4u * BANDS, params.m - m); r++) {
    for (var c = 0u; c < min(4u * QUADS, params.n - n); c++) {
      let at = vec4u(0u, 0u, m + r, n + c);
      out[result_index(at)] = epilogue(product[r * QUADS + c / 4u][c % 4u], at);
    }
  }
}
