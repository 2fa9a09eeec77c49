// The second launch of split-K: out[m, n] = epilogue(sum over splits of a[split, m, n]), in the order of the splits. One
// invocation computes one element.

// @include lib/matmul.wgsl

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn matmul_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = linear_id(id, groups, WORKGROUP);
  let results = params.m * params.n;
  if (i >= results) {
    return;
  }
  var sum = 0.0;
  for (var split = 0u; split * params.depth < params.k; split++) {
    sum += a[split * results + i];
  }
  let at = vec4u(0u, 0u, i / params.n, i % params.n);
  out[result_index(at)] = epilogue(sum, at);
}
