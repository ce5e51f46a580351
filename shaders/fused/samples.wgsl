// Samples that another kernel has fetched.

@group(0) @binding(4) var<storage, read> targets: array<f32>;        // (n, channels)
@group(0) @binding(5) var<storage, read> sample_weights: array<f32>; // (n)

// Those from `sample` on; of samples beyond the last, those of the last.
fn four_targets(sample: u32, channel: u32) -> Targets {
    let last = params.n_samples - 1u;
    let at = min(vec4<u32>(sample, sample + 1u, sample + 2u, sample + 3u), vec4<u32>(last));
    let from_row = at * params.output_width + channel;
    return Targets(
        vec4<f32>(targets[from_row.x], targets[from_row.y], targets[from_row.z], targets[from_row.w]),
        vec4<f32>(sample_weights[at.x], sample_weights[at.y], sample_weights[at.z], sample_weights[at.w]),
    );
}
