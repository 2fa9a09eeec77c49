// sigmoid, tanh and softplus that are finite for every finite input. These, max and min return NaN for NaN, so that an invalid
// input shows in the loss. WGSL's tanh inherits its accuracy from sinh / cosh and is indeterminate past |x| = 88 (gpuweb issue
// 4458).

/// A test of the bits, since a compiler may assume that no number is NaN.
fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}

/// WGSL's max and min of NaN and a number may return the number.
fn nan_max(a: f32, b: f32) -> f32 {
  return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

fn nan_min(a: f32, b: f32) -> f32 {
  return select(select(min(a, b), b, is_nan(b)), a, is_nan(a));
}

/// From e^-|x|, which cannot overflow: accurate down to the smallest normal float32. Below x = -110 the result is 0.
fn stable_sigmoid(x: f32) -> f32 {
  let e = exp(max(-abs(x), -110.0));
  return select(select(1.0, e, x < 0.0) / (1.0 + e), x, is_nan(x));
}

fn stable_tanh(x: f32) -> f32 {
  // Near 0, 1 - 2 / (e^2x + 1) loses digits by cancellation; there the Taylor series up to x^13 is accurate to 1e-7.
  let s = min(x * x, 0.25);
  let series = 1.0 + s * (-0.333333333 + s * (0.133333333 + s * (-0.0539682540
      + s * (0.0218694885 + s * (-0.00886323553 + s * 0.00359212804)))));
  let magnitude = 1.0 - 2.0 / (exp(2.0 * min(abs(x), 15.0)) + 1.0);
  return select(select(sign(x) * magnitude, x * series, abs(x) < 0.5), x, is_nan(x));
}

/// e^x for x in [-110, 0] to a few units in the last place. The error of WGSL's exp grows with |x|, so this reduces x by a
/// multiple of log 2, given as the sum of two constants (Cody and Waite, "Software manual for the elementary functions", 1980).
fn exp_of_negative(x: f32) -> f32 {
  let k = round(x * 1.44269504);
  return ldexp(exp((x - k * 0.693359375) + k * 2.12194440e-4), i32(k));
}

fn softplus(x: f32) -> f32 {
  // max(x, 0) + log(1 + e) with e = e^-|x|. WGSL's log is accurate only to 2^-21 near 1, so this uses a series up to t^13:
  // log(1 + e) = 2 artanh(t / 2) with t = 2e / (2 + e) <= 2/3.
  let e = exp_of_negative(max(-abs(x), -110.0));
  let t = e / (1.0 + 0.5 * e);
  let q = 0.25 * t * t;
  let series = 1.0 + q * (0.333333333 + q * (0.2 + q * (0.142857143 + q * (0.111111111
      + q * (0.0909090909 + q * 0.0769230769)))));
  return select(max(x, 0.0) + t * series, x, is_nan(x));
}
