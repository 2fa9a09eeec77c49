// The last step of a product whose k was split: out[m, n] = epilogue(sum over the parts of a[part, m, n]), in their order.

// @include lib/matmul.wgsl

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn matmul_sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let i = linear_id(group, groups, local, WORKGROUP);
  let results = params.m * params.n;
  if (i >= results) {
    return;
  }
  var sum = 0.0;
  for (var part = 0u; part * params.depth < params.k; part++) {
    sum += a[part * results + i];
  }
  let at = vec4u(0u, 0u, i / params.n, i % params.n);
  out[result_index(at)] = epilogue(sum, at);
}
