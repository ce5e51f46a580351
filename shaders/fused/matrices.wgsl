// The memory and the products of a step by cooperative matrices, from f16 with sums in f32. Joined with it are
// `matmul/matrices_8.wgsl` or `matmul/matrices_16.wgsl`, the size of a matrix, and `matmul/cells_of_four.wgsl` or
// `matmul/cells_of_one.wgsl`, the elements of workgroup memory.
//
// `right_tile` has the rows of the block, which are right factors: k is the unit, and columns are samples. `left_tile` has
// a tile of weights: neighbours are neighbours in k, which is the fastest order for a left factor. Two subgroups compute
// the results for the same SIZE samples, of four matrices of units every other one. No subgroup operation is used: with
// both in a module, some drivers fail. Matrices are separate variables, since arrays of them are not allowed. naga cannot
// prove that a branch on an argument is uniform, so matrices are multiplied in functions of their own.

const PARTS: u32 = 2u; // subgroups for the same samples
const TILE_ROWS: u32 = 2u * PARTS * SIZE;
const DEPTH: u32 = 64u; // of a tile of weights in k
// Rows are padded by 16 bytes, against bank conflicts.
const TILE_PITCH: u32 = DEPTH + 8u;
const SUM_PITCH: u32 = SIZE + 4u;
override PITCH: u32 = BLOCK + 8u;

override subgroup_size: u32;
override SUBGROUPS: u32 = BLOCK / SIZE * PARTS;
override GROUP: u32 = SUBGROUPS * subgroup_size; // at least BLOCK: a subgroup has at least SIZE / 2 threads
override N_CELLS: u32 = 1024u; // numbers in rows of PITCH
override n_right_cells: u32 = N_CELLS / CELL;
override n_sum_cells: u32 = SUBGROUPS * SIZE * SUM_PITCH / CELL; // a matrix of each subgroup

var<workgroup> right_tile: array<OperandCell, n_right_cells>;
var<workgroup> left_tile: array<OperandCell, TILE_ROWS * TILE_PITCH / CELL>;
var<workgroup> tile_biases: array<f32, TILE_ROWS>;
var<workgroup> sum_cells: array<SumCell, n_sum_cells>;

var<private> subgroup: u32;
var<private> lane: u32;
var<private> result0: SumMatrix;
var<private> result1: SumMatrix;

// A number of units, rounded up to whole matrices.
fn whole(n: u32) -> u32 {
    return (n + SIZE - 1u) / SIZE * SIZE;
}

fn load(row: u32, quad: u32) -> vec4<f32> {
    return vec4<f32>(four_right(row * PITCH + 4u * quad));
}

fn keep(row: u32, quad: u32, v: vec4<f32>) {
    put_right(row * PITCH + 4u * quad, stored_four(v));
}

// Of a row of W, from `input` on; 0 outside the matrix.
fn weights_within(layer: Layer, output: u32, input: u32) -> vec4<f32> {
    return select(vec4<f32>(), weights_of(layer, output, input), input < layer.input_width);
}

// left_tile: (outputs, inputs) of W from o_base and k_base on, and the outputs' biases.
fn load_outputs(layer: Layer, o_base: u32, n_rows: u32, k_base: u32, depth: u32, thread: u32) {
    for (var i = thread; i < n_rows * (DEPTH / 4u); i += GROUP) {
        let row = i / (DEPTH / 4u);
        let k = 4u * (i % (DEPTH / 4u));
        if k < depth {
            put_left(row * TILE_PITCH + k, stored_four(weights_within(layer, o_base + row, k_base + k)));
        }
    }
    for (var row = thread; row < n_rows; row += GROUP) {
        let output = o_base + row;
        let at = layer.weight + layer.output_width * layer.input_width + min(output, layer.output_width - 1u);
        tile_biases[row] = select(0.0, weights[at / 2u][at % 2u], output < layer.output_width);
    }
}

// left_tile: (inputs, outputs) of W from i_base and k_base on. Neighbouring inputs are neighbours in memory.
fn load_inputs(layer: Layer, i_base: u32, n_rows: u32, k_base: u32, depth: u32, thread: u32) {
    for (var i = thread; i < (TILE_ROWS / 4u) * (depth / 4u); i += GROUP) {
        let row = 4u * (i % (TILE_ROWS / 4u));
        let k = 4u * (i / (TILE_ROWS / 4u));
        if row < n_rows {
            let o = k_base + k;
            let at = i_base + row;
            let block = transposed(
                Block(
                    weights_within(layer, o, at), weights_within(layer, o + 1u, at),
                    weights_within(layer, o + 2u, at), weights_within(layer, o + 3u, at),
                ),
            );
            let to = row * TILE_PITCH + k;
            put_left(to, stored_four(block.v0));
            put_left(to + TILE_PITCH, stored_four(block.v1));
            put_left(to + 2u * TILE_PITCH, stored_four(block.v2));
            put_left(to + 3u * TILE_PITCH, stored_four(block.v3));
        }
    }
}

fn load_left(row: u32, k: u32) -> LeftMatrix {
    return coopLoadT<LeftMatrix>(&left_tile[(row * TILE_PITCH + k) / CELL], TILE_PITCH / CELL);
}

// The first of the subgroup's samples.
fn own_column() -> u32 {
    return SIZE * (subgroup % (BLOCK / SIZE));
}

// The first row of the subgroup's first matrix of results.
fn own_row() -> u32 {
    return SIZE * (subgroup / (BLOCK / SIZE));
}

// Units from `row` on of the subgroup's samples.
fn load_right(row: u32) -> RightMatrix {
    return coopLoadT<RightMatrix>(&right_tile[(row * PITCH + own_column()) / CELL], PITCH / CELL);
}

fn clear_results() {
    result0 = SumMatrix();
    result1 = SumMatrix();
}

fn multiply_two(row: u32, depth: u32) {
    for (var k = 0u; k < depth; k += SIZE) {
        let x = load_right(row + k);
        result0 = coopMultiplyAdd(load_left(own_row(), k), x, result0);
        result1 = coopMultiplyAdd(load_left(own_row() + PARTS * SIZE, k), x, result1);
    }
}

fn multiply_one(row: u32, depth: u32) {
    for (var k = 0u; k < depth; k += SIZE) {
        result0 = coopMultiplyAdd(load_left(own_row(), k), load_right(row + k), result0);
    }
}

// results += left_tile times `depth` rows from `row` on. What exceeds n_rows is computed but not used.
fn multiply(n_rows: u32, row: u32, depth: u32) {
    if n_rows > PARTS * SIZE {
        multiply_two(row, depth);
    } else {
        multiply_one(row, depth);
    }
}

// Moves a matrix to the subgroup's part of `sum_cells`, since only in memory its elements have a known order.
fn lay_out(matrix: SumMatrix) {
    coopStoreT(matrix, &sum_cells[subgroup * SIZE * SUM_PITCH / CELL], SUM_PITCH / CELL);
    workgroupBarrier();
}

// Row and column of a four within a matrix.
fn place_in_matrix(quad: u32) -> vec2<u32> {
    return vec2<u32>(quad / (SIZE / 4u), 4u * (quad % (SIZE / 4u)));
}

// Four numbers of the matrix that was laid out.
fn four_at(place: vec2<u32>) -> vec4<f32> {
    return four_sums((subgroup * SIZE + place.x) * SUM_PITCH + place.y);
}

// The loss is summed in the same memory.
fn partial_sum(i: u32) -> f32 {
    return four_sums(4u * i).x;
}

fn keep_partial_sum(i: u32, sum: f32) {
    put_sums(4u * i, vec4<f32>(sum, 0.0, 0.0, 0.0));
}
