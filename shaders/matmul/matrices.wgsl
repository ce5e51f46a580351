// The core of matrix products with cooperative matrices, with sums in f32: out = left right. A kernel joins
// it instead of `tiles.wgsl`, and supplies the same. `matrices_8.wgsl` or `matrices_16.wgsl` gives the size of a matrix,
// `groups_2x2.wgsl` or `groups_2x4.wgsl` the subgroups of a workgroup, `chunks_of_halves.wgsl` or
// `chunks_of_numbers.wgsl` what a thread moves at a time, `cells_of_four.wgsl` or `cells_of_one.wgsl` the elements of its
// memory; `matrices_tiles.wgsl` moves tiles there, and `matrices_results.wgsl` results out of it.
//
// A subgroup computes 4 x 4 matrices of results. No subgroup operation is used: with both in a module, some drivers
// fail. The sums are separate variables, since arrays of matrices are not allowed.

const SHARE: u32 = 4u * SIZE;                   // rows and columns of results of a subgroup
const TILE_ROWS: u32 = SUBGROUP_ROWS * SHARE;   // of a workgroup
const TILE_COLUMNS: u32 = SUBGROUP_COLUMNS * SHARE;
const DEPTH: u32 = 32u;                         // of a tile in k

override subgroup_size: u32;
override n_threads: u32 = SUBGROUP_ROWS * SUBGROUP_COLUMNS * subgroup_size;

@compute @workgroup_size(n_threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    // Surplus groups compute but store nothing: naga requires matrices in provably uniform control flow.
    let index = group_index(group, params.grid_width);
    is_surplus = index >= params.n_groups;
    let tile = tile_of(select(index, 0u, is_surplus), vec2<u32>(TILE_ROWS, TILE_COLUMNS));
    let slice = tile.slice;
    let subgroup = thread / subgroup_size;
    lane = thread % subgroup_size;
    share_sums = subgroup * SHARE_SUMS;
    let share_row = SHARE * (subgroup / SUBGROUP_COLUMNS);
    let share_column = SHARE * (subgroup % SUBGROUP_COLUMNS);
    left_sum_low = vec4<f32>();
    left_sum_high = vec4<f32>();
    var c00 = SumMatrix(); var c01 = SumMatrix(); var c02 = SumMatrix(); var c03 = SumMatrix();
    var c10 = SumMatrix(); var c11 = SumMatrix(); var c12 = SumMatrix(); var c13 = SumMatrix();
    var c20 = SumMatrix(); var c21 = SumMatrix(); var c22 = SumMatrix(); var c23 = SumMatrix();
    var c30 = SumMatrix(); var c31 = SumMatrix(); var c32 = SumMatrix(); var c33 = SumMatrix();

    let range = depth_range(slice);
    var moved = fetch(thread, tile, range.x);
    for (var k_base = range.x; k_base < range.y; k_base += DEPTH) {
        keep(thread, moved);
        workgroupBarrier();
        moved = fetch(thread, tile, next_depth(k_base, range.y));
        for (var k = 0u; k < DEPTH; k += SIZE) {
            let a0 = load_left(share_row, k);
            let a1 = load_left(share_row + SIZE, k);
            let a2 = load_left(share_row + 2u * SIZE, k);
            let a3 = load_left(share_row + 3u * SIZE, k);
            let b0 = load_right(k, share_column);
            c00 = coopMultiplyAdd(a0, b0, c00); c10 = coopMultiplyAdd(a1, b0, c10);
            c20 = coopMultiplyAdd(a2, b0, c20); c30 = coopMultiplyAdd(a3, b0, c30);
            let b1 = load_right(k, share_column + SIZE);
            c01 = coopMultiplyAdd(a0, b1, c01); c11 = coopMultiplyAdd(a1, b1, c11);
            c21 = coopMultiplyAdd(a2, b1, c21); c31 = coopMultiplyAdd(a3, b1, c31);
            let b2 = load_right(k, share_column + 2u * SIZE);
            c02 = coopMultiplyAdd(a0, b2, c02); c12 = coopMultiplyAdd(a1, b2, c12);
            c22 = coopMultiplyAdd(a2, b2, c22); c32 = coopMultiplyAdd(a3, b2, c32);
            let b3 = load_right(k, share_column + 3u * SIZE);
            c03 = coopMultiplyAdd(a0, b3, c03); c13 = coopMultiplyAdd(a1, b3, c13);
            c23 = coopMultiplyAdd(a2, b3, c23); c33 = coopMultiplyAdd(a3, b3, c33);
        }
        workgroupBarrier();
    }

    let row = tile.row + share_row;
    let share = share_of(slice, tile.column + share_column);
    var before = RowBefores(befores(row, share.column), befores(row, share.column + 2u * SIZE));
    before = finish_row(c00, c01, c02, c03, share, row, before, row + SIZE);
    before = finish_row(c10, c11, c12, c13, share, row + SIZE, before, row + 2u * SIZE);
    before = finish_row(c20, c21, c22, c23, share, row + 2u * SIZE, before, row + 3u * SIZE);
    _ = finish_row(c30, c31, c32, c33, share, row + 3u * SIZE, before, row + 3u * SIZE);

    if SUM_LEFT && tile.column == 0u {
        finish_sums(thread, slice, tile.row);
    }
}
