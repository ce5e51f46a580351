// The gradients of weights by cooperative matrices. Each subgroup has its own matrices of them, and keeps the first N_SUMS
// in registers over all blocks of the workgroup; those of others are added to the partials block by block.

override N_SUMS: u32 = 0u; // at most 16
override BIAS_ROWS: u32 = 1u;

var<workgroup> bias_sums: array<f32, BIAS_ROWS>; // of each row of z, over the blocks

var<private> n_met: u32; // of the subgroup's matrices of gradients, in this pass over the layers
var<private> sum0: SumMatrix;
var<private> sum1: SumMatrix;
var<private> sum2: SumMatrix;
var<private> sum3: SumMatrix;
var<private> sum4: SumMatrix;
var<private> sum5: SumMatrix;
var<private> sum6: SumMatrix;
var<private> sum7: SumMatrix;
var<private> sum8: SumMatrix;
var<private> sum9: SumMatrix;
var<private> sum10: SumMatrix;
var<private> sum11: SumMatrix;
var<private> sum12: SumMatrix;
var<private> sum13: SumMatrix;
var<private> sum14: SumMatrix;
var<private> sum15: SumMatrix;

// Before the first block. Rows that nothing is written to must hold finite numbers.
fn begin(thread: u32) {
    subgroup = thread / subgroup_size;
    lane = thread % subgroup_size;
    for (var i = thread; i < N_CELLS / 4u; i += GROUP) {
        put_right(4u * i, vec4<Stored>());
    }
    for (var i = thread; i < BIAS_ROWS; i += GROUP) {
        bias_sums[i] = 0.0;
    }
    workgroupBarrier();
}

// before + g x^T over the samples of the block
fn with_products(before: SumMatrix, g_row: u32, x_row: u32) -> SumMatrix {
    var sum = before;
    for (var k = 0u; k < BLOCK; k += SIZE) {
        let g = coopLoadT<LeftMatrix>(&right_tile[(g_row * PITCH + k) / CELL], PITCH / CELL);
        let x = coopLoad<RightMatrix>(&right_tile[(x_row * PITCH + k) / CELL], PITCH / CELL);
        sum = coopMultiplyAdd(g, x, sum);
    }
    return sum;
}

// Matrices of gradients for the inputs first.. first + n of a layer, row by row.
struct Matrices {
    first: u32,
    n_columns: u32,
    total: u32,
}

fn matrices_of(layer: Layer, first: u32, n: u32) -> Matrices {
    let n_columns = whole(n) / SIZE;
    return Matrices(first, n_columns, whole(layer.output_width) / SIZE * n_columns);
}

// Adds number `own` of the matrices to the workgroup's partials. Surplus subgroups have none.
fn add_matrix(share: Share, layer: Layer, all: Matrices, own: u32, matrix: SumMatrix) {
    lay_out(matrix);
    let top = SIZE * (own / all.n_columns);
    let left = all.first + SIZE * (own % all.n_columns);
    for (var q = lane; q < SIZE * SIZE / 4u; q += subgroup_size) {
        let place = place_in_matrix(q);
        let input = left + place.y;
        let at = layer.weight + (top + place.x) * layer.input_width + input;
        if own < all.total && top + place.x < layer.output_width {
            let four = four_at(place);
            if input < layer.input_width { add(share, at, four.x); }
            if input + 1u < layer.input_width { add(share, at + 1u, four.y); }
            if input + 2u < layer.input_width { add(share, at + 2u, four.z); }
            if input + 3u < layer.input_width { add(share, at + 3u, four.w); }
        }
    }
    workgroupBarrier();
}

// dl_dw = dl_dz^T x for inputs first.. first + n, in rows from `row` on.
fn gradients(share: Share, layer: Layer, row: u32, first: u32, n: u32, thread: u32) {
    let all = matrices_of(layer, first, n);
    if layer.index + 1u == params.n_layers {
        n_met = 0u;
    }
    for (var base = 0u; base < all.total; base += SUBGROUPS) {
        let own = min(base + subgroup, all.total - 1u);
        let g_row = layer.row + SIZE * (own / all.n_columns);
        let x_row = row + SIZE * (own % all.n_columns);
        switch select(16u, n_met, n_met < N_SUMS) {
            case 0u: { if N_SUMS > 0u { sum0 = with_products(sum0, g_row, x_row); } }
            case 1u: { if N_SUMS > 1u { sum1 = with_products(sum1, g_row, x_row); } }
            case 2u: { if N_SUMS > 2u { sum2 = with_products(sum2, g_row, x_row); } }
            case 3u: { if N_SUMS > 3u { sum3 = with_products(sum3, g_row, x_row); } }
            case 4u: { if N_SUMS > 4u { sum4 = with_products(sum4, g_row, x_row); } }
            case 5u: { if N_SUMS > 5u { sum5 = with_products(sum5, g_row, x_row); } }
            case 6u: { if N_SUMS > 6u { sum6 = with_products(sum6, g_row, x_row); } }
            case 7u: { if N_SUMS > 7u { sum7 = with_products(sum7, g_row, x_row); } }
            case 8u: { if N_SUMS > 8u { sum8 = with_products(sum8, g_row, x_row); } }
            case 9u: { if N_SUMS > 9u { sum9 = with_products(sum9, g_row, x_row); } }
            case 10u: { if N_SUMS > 10u { sum10 = with_products(sum10, g_row, x_row); } }
            case 11u: { if N_SUMS > 11u { sum11 = with_products(sum11, g_row, x_row); } }
            case 12u: { if N_SUMS > 12u { sum12 = with_products(sum12, g_row, x_row); } }
            case 13u: { if N_SUMS > 13u { sum13 = with_products(sum13, g_row, x_row); } }
            case 14u: { if N_SUMS > 14u { sum14 = with_products(sum14, g_row, x_row); } }
            case 15u: { if N_SUMS > 15u { sum15 = with_products(sum15, g_row, x_row); } }
            default: {
                add_matrix(share, layer, all, base + subgroup, with_products(SumMatrix(), g_row, x_row));
            }
        }
        n_met++;
    }
}

// dl_db = sums of dl_dz
fn bias_gradients(share: Share, layer: Layer, thread: u32) {
    for (var o = thread; o < layer.output_width; o += GROUP) {
        var sum = vec4<f32>();
        for (var q = 0u; q < QUADS; q++) {
            sum += load(layer.row + o, q);
        }
        bias_sums[layer.row + o] += dot(sum, vec4<f32>(1.0));
    }
}

fn next_sum() {
    if N_SUMS > 1u { sum0 = sum1; }
    if N_SUMS > 2u { sum1 = sum2; }
    if N_SUMS > 3u { sum2 = sum3; }
    if N_SUMS > 4u { sum3 = sum4; }
    if N_SUMS > 5u { sum4 = sum5; }
    if N_SUMS > 6u { sum5 = sum6; }
    if N_SUMS > 7u { sum6 = sum7; }
    if N_SUMS > 8u { sum7 = sum8; }
    if N_SUMS > 9u { sum8 = sum9; }
    if N_SUMS > 10u { sum9 = sum10; }
    if N_SUMS > 11u { sum10 = sum11; }
    if N_SUMS > 12u { sum11 = sum12; }
    if N_SUMS > 13u { sum12 = sum13; }
    if N_SUMS > 14u { sum13 = sum14; }
    if N_SUMS > 15u { sum14 = sum15; }
}

// Writes what was summed over the blocks. The layers, slices and matrices are in the order of the backward pass.
fn finish(share: Share, thread: u32) {
    n_met = 0u;
    for (var index = params.n_layers; index > 0u; index--) {
        let layer = layer_at(index - 1u);
        for (var o = thread; o < layer.output_width; o += GROUP) {
            add(share, layer.weight + layer.output_width * layer.input_width + o, bias_sums[layer.row + o]);
        }
        let slice_width = select(params.feature_rows, layer.input_width, index > 1u);
        for (var slice = 0u; slice < layer.input_width; slice += slice_width) {
            let all = matrices_of(layer, slice, min(slice_width, layer.input_width - slice));
            for (var base = 0u; base < all.total; base += SUBGROUPS) {
                if n_met < N_SUMS {
                    add_matrix(share, layer, all, base + subgroup, sum0);
                    next_sum();
                }
                n_met++;
            }
        }
    }
}
