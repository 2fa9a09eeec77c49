// sigmoid and tanh that are finite for every finite input. They, max and min are NaN for NaN, so that a broken input
// shows in the loss.
// WGSL's own tanh inherits its accuracy from sinh / cosh and is indeterminate past |x| = 88 (gpuweb issue 4458).

/// Tested on the bits, since a compiler may assume that no number is NaN.
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

/// WGSL's max and min of NaN and a number may be the number.
fn nan_max(a: f32, b: f32) -> f32 {
  return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

fn nan_min(a: f32, b: f32) -> f32 {
  return select(select(min(a, b), b, is_nan(b)), a, is_nan(a));
}

fn stable_sigmoid(x: f32) -> f32 {
  return select(1.0 / (1.0 + exp(-clamp(x, -80.0, 80.0))), x, is_nan(x));
}

fn stable_tanh(x: f32) -> f32 {
  // Near 0, where 1 - 2 / (e^2x + 1) would cancel, the Taylor series up to x^13 is right to 1e-7.
  let s = min(x * x, 0.25);
  let series = 1.0 + s * (-0.333333333 + s * (0.133333333 + s * (-0.0539682540
      + s * (0.0218694885 + s * (-0.00886323553 + s * 0.00359212804)))));
  let magnitude = 1.0 - 2.0 / (exp(2.0 * min(abs(x), 15.0)) + 1.0);
  return select(select(sign(x) * magnitude, x * series, abs(x) < 0.5), x, is_nan(x));
}
