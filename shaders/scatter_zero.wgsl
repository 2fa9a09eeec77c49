// Zeros before a scatter, in vec4s: on software adapters each store takes as long, of one number or of four. One invocation stores
// several, a grid apart.

// @include lib/linear_id.wgsl

struct Params {
  quads: u32,     // of out
}

override WORKGROUP: u32 = 64;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;  // (quads)

@compute @workgroup_size(WORKGROUP)
fn scatter_zero(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = linear_id(id, groups, WORKGROUP); i < params.quads; i += groups.x * groups.y * WORKGROUP) {
    out[i] = vec4f();
  }
}
