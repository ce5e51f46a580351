// Reads rows of a step that the host gathered, if the picture stays there: `gpu::stream`. The arithmetic is that of
// `sample.wgsl`, so a run has the same bits either way.

struct StreamedParams {
    picture: PictureParams, // its first row is the piece's, within the part of the step
    grid_width: u32,
    n_rows: u32,          // of this piece
    piece: u32,           // number of this piece within the step
    pieces_per_step: u32,
    n_slots: u32,         // of the ring
    slot_words: u32,
    row_words: u32,       // pixel number; area and count if rows have weights; the pixel as stored
    weighted: u32,        // whether rows have weights
}

@group(0) @binding(0) var<uniform> params: StreamedParams;
@group(0) @binding(1) var<storage, read> gathered: array<u32>; // (n_slots, slot_words)
@group(0) @binding(2) var<storage, read_write> coords: array<f32>;  // (n, 2)
@group(0) @binding(3) var<storage, read_write> targets: array<f32>; // (n, channels)
@group(0) @binding(4) var<storage, read_write> sample_weights: array<f32>; // (n)
@group(1) @binding(0) var<uniform> step: StepParams;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    if i >= params.n_rows {
        return;
    }
    let slot = (step.slot * params.pieces_per_step + params.piece) % params.n_slots;
    let at = slot * params.slot_words + i * params.row_words;
    let row = params.picture.first_row + i;
    let pixel = gathered[at];
    let x = pixel % params.picture.width;
    let y = pixel / params.picture.width;
    var weight = 1.0;
    if params.weighted != 0u {
        weight = f32(gathered[at + 1u]) / f32(gathered[at + 2u]);
    }
    sample_weights[row] = weight;
    coords[2u * row] = f32(x) * params.picture.step.x + params.picture.origin.x;
    coords[2u * row + 1u] = f32(y) * params.picture.step.y + params.picture.origin.y;
    let first_word = at + 1u + 2u * params.weighted;
    for (var channel = 0u; channel < params.picture.channels; channel++) {
        targets[row * params.picture.channels + channel] = stored_value(gathered[first_word + word_of(channel)], channel);
    }
}
