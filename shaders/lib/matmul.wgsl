// The part that the kernels of all matmul variants share: bindings, loads of 4 by 4 blocks, the epilogue and the store. The z of
// a workgroup is its split of k, of length params.depth; without split-K there is one split.

// @include lib/nonlinear.wgsl
// @include lib/operand.wgsl
// @include lib/linear_id.wgsl
// @include lib/packed.wgsl

struct Params {
  m: u32,
  n: u32,
  k: u32,
  depth: u32,                     // length of a split of k, a multiple of 16
  a_strides: vec2u,               // m, k
  b_strides: vec2u,               // k, n
  a_offset: u32,
  b_offset: u32,
  operands: array<Operand, 6>,    // out, then what the epilogue reads; axes: 0, split, m, n
}

const I = 0u;                     // the index of an unrolled block

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> in2: array<f32>;
@group(0) @binding(4) var<storage, read> in3: array<f32>;
@group(0) @binding(5) var<storage, read> in4: array<f32>;
@group(0) @binding(6) var<storage, read> in5: array<f32>;
@group(0) @binding(7) var<storage, read> in6: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;
// The same matrices as vec4s, for layouts in which a load can take four neighbours.
@group(0) @binding(9) var<storage, read> a4: array<vec4f>;
@group(0) @binding(10) var<storage, read> b4: array<vec4f>;
// A packed b, in rows of quads along k or n.
@group(0) @binding(11) var<storage, read> b_halves: array<vec2u>;
@group(0) @binding(12) var<storage, read> b_bytes: array<u32>;

// A block is a mat4x4f of four vec4s along k, one for each of four m (of a) or n (of b). Elements past the edge in m or n are
// loaded, but their results are not stored; elements past k are 0.

/// The first `count` values, then zeros. A select after the loads costs less than a branch before each of them.
fn first_of(values: vec4f, count: u32) -> vec4f {
  return select(vec4f(), values, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

fn a_element(m: u32, k: u32) -> f32 {
  return select(0.0, a[params.a_offset + m * params.a_strides.x + k * params.a_strides.y], k < params.k);
}

fn a_row_strided(m: u32, k: u32) -> vec4f {
  let at = params.a_offset + m * params.a_strides.x + k * params.a_strides.y;
  let step = params.a_strides.y;
  return first_of(vec4f(a[at], a[at + step], a[at + 2u * step], a[at + 3u * step]), params.k - k);
}

fn a_row_along_k(m: u32, k: u32) -> vec4f {
  return a4[(params.a_offset + m * params.a_strides.x + k) / 4u];
}

/// Four neighbours along m.
fn a_column_along_m(m: u32, k: u32) -> vec4f {
  return a4[(params.a_offset + m + k * params.a_strides.y) / 4u];
}

fn a_strided(m: u32, k: u32) -> mat4x4f {
  return mat4x4f(a_row_strided(m, k), a_row_strided(m + 1u, k), a_row_strided(m + 2u, k), a_row_strided(m + 3u, k));
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

fn b_column_strided(k: u32, n: u32) -> vec4f {
  let at = params.b_offset + k * params.b_strides.x + n * params.b_strides.y;
  let step = params.b_strides.x;
  return first_of(vec4f(b[at], b[at + step], b[at + 2u * step], b[at + 3u * step]), params.k - k);
}

fn b_strided(k: u32, n: u32) -> mat4x4f {
  return mat4x4f(
    b_column_strided(k, n), b_column_strided(k, n + 1u), b_column_strided(k, n + 2u), b_column_strided(k, n + 3u));
}

// @splice b_quad
/// Four neighbours of b, which a launch with a packed b unpacks.
fn b_quad(at: u32) -> vec4f {
  return b4[at];
}
// @end

fn b_along_k(k: u32, n: u32) -> mat4x4f {
  let at = (params.b_offset + k + n * params.b_strides.y) / 4u;
  let step = params.b_strides.y / 4u;
  return mat4x4f(b_quad(at), b_quad(at + step), b_quad(at + 2u * step), b_quad(at + 3u * step));
}

fn b_along_n(k: u32, n: u32) -> mat4x4f {
  let at = (params.b_offset + k * params.b_strides.x + n) / 4u;
  let step = params.b_strides.x / 4u;
  return transpose(mat4x4f(b_quad(at), b_quad(at + step), b_quad(at + 2u * step), b_quad(at + 3u * step)));
}

/// For a packed b: rows past k belong to another tensor and become 0. Within a row, quads are whole for any n.
fn b_padded_along_n(k: u32, n: u32) -> mat4x4f {
  let at = (params.b_offset + k * params.b_strides.x + n) / 4u;
  let step = params.b_strides.x / 4u;
  return transpose(mat4x4f(
    b_quad(at),
    select(vec4f(), b_quad(at + step), k + 1u < params.k),
    select(vec4f(), b_quad(at + 2u * step), k + 2u < params.k),
    select(vec4f(), b_quad(at + 3u * step), k + 3u < params.k)));
}

// @splice epilogue
fn epilogue(product: f32, at: vec4u) -> f32 {
  return product;
}
// @end

// @splice index
fn result_index(at: vec4u) -> u32 {
  return element_index(params.operands[0], at);
}
// @end

/// Applies the epilogue to the sums of four neighbours of a row and stores them.
fn write_quad(product: vec4f, split: u32, m: u32, n: u32) {
  // @unroll I 4
  if (n + I < params.n) {
    let at_I = vec4u(0u, split, m, n + I);
    out[result_index(at_I)] = epilogue(product[I], at_I);
  }
  // @end
}
