// The end of a fused step: its loss, the gradients, and the update of every parameter. The first workgroup sums the losses;
// the next ones the network's gradients, which take longest, and the last ones read those of a grid's entries.

struct FinishParams {
    grid_width: u32,
    n_groups: u32,        // with work
    n_network_groups: u32,
    n_partials: u32,      // workgroups of the step
    n_network: u32,       // parameters of the network, which come last
    n_encoding: u32,      // encoding weights, which come first
    encoding_l2: f32,     // penalty on those
    l2: f32,              // and on the others
    unit: f32,            // the value of a partial gradient of 1
}

@group(0) @binding(0) var<uniform> params: FinishParams;
@group(0) @binding(1) var<storage, read> partials: array<f32>;         // (workgroups, n_network)
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;    // (n)
@group(0) @binding(3) var<storage, read> loss_partials: array<f32>;    // (workgroups)
@group(0) @binding(4) var<storage, read_write> progress: array<u32>;   // [loss as bits, steps done]
@group(0) @binding(5) var<storage, read_write> ring: array<u32>;       // (slots, 2): [loss as bits, steps done]
@group(0) @binding(6) var<storage, read_write> sums: array<vec2<u32>>; // (n_encoding): low, high; cleared

const COLUMNS: u32 = 32u;               // parameters of the network in a workgroup
const LANES: u32 = THREADS / COLUMNS;   // threads that sum the partial gradients of one

fn term(at: u32) -> f32 {
    return partials[at];
}

fn plus(sum: f32, value: f32) -> f32 {
    return sum + value;
}

fn finish_loss(thread: u32) {
    var sum = 0.0;
    for (var i = thread; i < params.n_partials; i += THREADS) {
        sum += loss_partials[i];
    }
    let loss = bitcast<u32>(reduce(thread, THREADS, sum));
    if thread == 0u {
        let done = progress[1] + 1u;
        progress[0] = loss;
        progress[1] = done;
        ring[2u * step.slot] = loss;
        ring[2u * step.slot + 1u] = done;
    }
}

fn finish_network(group: u32, thread: u32) {
    let lane = thread / COLUMNS;
    let parameter = group * COLUMNS + thread % COLUMNS;
    let first = lane * params.n_network + min(parameter, params.n_network - 1u);
    let count = n_terms(lane, LANES, params.n_partials);
    add_threads(thread, THREADS, COLUMNS, strided_sum(first, LANES * params.n_network, count));
    if thread < COLUMNS && parameter < params.n_network {
        update_one(params.n_encoding + parameter, partial_sum(thread) * params.unit);
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let index = group_index(group, params.grid_width);
    if index >= params.n_groups {
        return;
    }
    if index == 0u {
        finish_loss(thread);
    } else if index <= params.n_network_groups {
        finish_network(index - 1u, thread);
    } else {
        let i = (index - 1u - params.n_network_groups) * THREADS + thread;
        if i < params.n_encoding {
            update_one(i, fixed_point_value(sums[i]));
            sums[i] = vec2<u32>();
        }
    }
}
