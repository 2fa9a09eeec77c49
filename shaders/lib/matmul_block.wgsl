// A tile of 4 BANDS by 4 QUADS results in the registers of one invocation, from blocks of 4 by 4 operands.

const BANDS = 1u;                 // these stand in for unrolled counts
const QUADS = 1u;
const ROWS = 1u;                  // of a band: 4, or fewer where there are no more
const R = 0u;
const C = 0u;

/// The tile at (m, n), over a part of k. @param lane the number of the invocation among those that load a together
fn multiply_block(m: u32, n: u32, part: u32, lane: u32) {
  // @unroll R BANDS
  // @unroll C QUADS
  // @unroll I ROWS
  var sum_R_C_I = vec4f();
  // @end
  // @end
  // @end
  let start = part * params.depth;
  for (var quad = start / 4u; quad < (min(start + params.depth, params.k) + 3u) / 4u; quad++) {
    let k = quad * 4u;
    // @unroll C QUADS
    let b_C = load_b(k, n + 4u * C);
    // @end
    // @unroll R BANDS
    let a_R = load_a(m + 4u * R, k, lane);
    // @unroll C QUADS
    // @unroll I ROWS
    sum_R_C_I += a_R[I] * b_C;
    // @end
    // @end
    // @end
  }
  // The sums leave the registers here, so that the epilogue is compiled once and not for each of them.
  var product: array<vec4f, BANDS * QUADS * 4u>;
  // @unroll R BANDS
  // @unroll C QUADS
  // @unroll I ROWS
  product[(R * 4u + I) * QUADS + C] = sum_R_C_I;
  // @end
  // @end
  // @end
  for (var r = 0u; r < min(4u * BANDS, params.m - m); r++) {
    for (var c = 0u; c < QUADS; c++) {
      if (n + 4u * c < params.n) {
        write_quad(product[r * QUADS + c], part, m + r, n + 4u * c);
      }
    }
  }
}
