// Sums the workgroups' losses in a fixed order and, at the end of a step, writes the step's loss and the number of
// steps done to the ring. One workgroup.

struct ReduceLossParams {
    n_partials: u32,
    first_part: u32, // 1 for the step's first part
    last_part: u32,  // 1 for its last
}

@group(0) @binding(0) var<uniform> params: ReduceLossParams;
@group(0) @binding(1) var<storage, read> loss_partials: array<f32>;
@group(0) @binding(2) var<storage, read_write> progress: array<u32>; // [loss so far as bits, steps done]
@group(0) @binding(3) var<storage, read_write> ring: array<u32>;     // (slots, 2): [loss as bits, steps done]
@group(1) @binding(0) var<uniform> step: StepParams;

fn term(at: u32) -> f32 {
    return loss_partials[at];
}

fn plus(sum: f32, value: f32) -> f32 {
    return sum + value;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let sum = strided_sum(thread, THREADS, n_terms(thread, THREADS, params.n_partials));
    var loss = reduce(thread, THREADS, sum);
    if thread != 0u {
        return;
    }
    if params.first_part == 0u {
        loss += bitcast<f32>(progress[0]);
    }
    progress[0] = bitcast<u32>(loss);
    if params.last_part != 0u {
        let done = progress[1] + 1u;
        progress[1] = done;
        ring[2u * step.slot] = bitcast<u32>(loss);
        ring[2u * step.slot + 1u] = done;
    }
}
