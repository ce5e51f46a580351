// The core of matrix products with cooperative matrices, from f16 with sums in f32: out = left right. A kernel joins
// it instead of tile_64.wgsl and supplies the same; matrices_8.wgsl or matrices_16.wgsl gives the size.
//
// Four subgroups, two by two, compute 4 x 4 matrices of results each. No subgroup operation is used: with both in a
// module, some drivers fail. The sums are separate variables, since arrays of matrices are not allowed.

const TILE: u32 = 8u * SIZE;      // rows and columns of results of a workgroup
const SHARE: u32 = 4u * SIZE;     // of a subgroup
const DEPTH: u32 = 32u;           // of a tile in k
const PITCH: u32 = DEPTH + 8u;    // elements between rows of a tile: 16 bytes more, against bank conflicts

override subgroup_size: u32;
override n_threads: u32 = 4u * subgroup_size;

var<workgroup> left_tile: array<f16, TILE * PITCH>;          // (TILE, DEPTH), PITCH elements a row
var<workgroup> right_tile: array<f16, TILE * PITCH>;         // the same, transposed
var<workgroup> finished: array<f32, 8u * SIZE * SIZE>;       // two matrices of results a subgroup
var<workgroup> row_sums: array<f32, TILE>;
var<private> is_surplus: bool;

// A vector of four is four neighbours along k, or along the rows or columns of a tile.
const VECTORS: u32 = TILE * DEPTH / 4u;

// First row or column of vector `e`, and its first k.
fn place_of_vector(e: u32, along_k: bool) -> vec2<u32> {
    return select(
        vec2<u32>(4u * (e % (TILE / 4u)), e / (TILE / 4u)),
        vec2<u32>(e / (DEPTH / 4u), 4u * (e % (DEPTH / 4u))),
        along_k,
    );
}

fn left_vector(e: u32, row_base: u32, k_base: u32) -> vec4<f32> {
    let place = place_of_vector(min(e, VECTORS - 1u), LEFT_ALONG_K);
    return left_four(row_base + place.x, k_base + place.y);
}

fn right_vector(e: u32, column_base: u32, k_base: u32) -> vec4<f32> {
    let place = place_of_vector(min(e, VECTORS - 1u), RIGHT_ALONG_K);
    return right_four(k_base + place.y, column_base + place.x);
}

fn keep_left(e: u32, v: vec4<f32>) {
    if e < VECTORS {
        let place = place_of_vector(e, LEFT_ALONG_K);
        let at = place.x * PITCH + place.y;
        let pitch = select(PITCH, 1u, LEFT_ALONG_K);
        left_tile[at] = f16(v.x);
        left_tile[at + pitch] = f16(v.y);
        left_tile[at + 2u * pitch] = f16(v.z);
        left_tile[at + 3u * pitch] = f16(v.w);
    }
}

fn keep_right(e: u32, v: vec4<f32>) {
    if e < VECTORS {
        let place = place_of_vector(e, RIGHT_ALONG_K);
        let at = place.x * PITCH + place.y;
        let pitch = select(PITCH, 1u, RIGHT_ALONG_K);
        right_tile[at] = f16(v.x);
        right_tile[at + pitch] = f16(v.y);
        right_tile[at + 2u * pitch] = f16(v.z);
        right_tile[at + 3u * pitch] = f16(v.w);
    }
}

fn load_left(thread: u32, row_base: u32, k_base: u32) {
    for (var e = thread; e < VECTORS; e += 4u * n_threads) {
        let v0 = left_vector(e, row_base, k_base);
        let v1 = left_vector(e + n_threads, row_base, k_base);
        let v2 = left_vector(e + 2u * n_threads, row_base, k_base);
        let v3 = left_vector(e + 3u * n_threads, row_base, k_base);
        keep_left(e, v0);
        keep_left(e + n_threads, v1);
        keep_left(e + 2u * n_threads, v2);
        keep_left(e + 3u * n_threads, v3);
    }
}

fn load_right(thread: u32, column_base: u32, k_base: u32) {
    for (var e = thread; e < VECTORS; e += 4u * n_threads) {
        let v0 = right_vector(e, column_base, k_base);
        let v1 = right_vector(e + n_threads, column_base, k_base);
        let v2 = right_vector(e + 2u * n_threads, column_base, k_base);
        let v3 = right_vector(e + 3u * n_threads, column_base, k_base);
        keep_right(e, v0);
        keep_right(e + n_threads, v1);
        keep_right(e + 2u * n_threads, v2);
        keep_right(e + 3u * n_threads, v3);
    }
}

// Values of left are stored as f16, so nothing is lost before they are summed.
fn sum_rows(thread: u32) {
    for (var row = thread; row < TILE; row += n_threads) {
        var sum = row_sums[row];
        for (var k = 0u; k < DEPTH; k++) {
            sum += f32(left_tile[row * PITCH + k]);
        }
        row_sums[row] = sum;
    }
}

// Passes two matrices of results, side by side, through workgroup memory, since only there their elements have a known
// order.
fn finish(left: SumMatrix, right: SumMatrix, thread: u32, slice: u32, row: u32, column: u32) {
    let base = (thread / subgroup_size) * 2u * SIZE * SIZE;
    coopStoreT(left, &finished[base], 2u * SIZE);
    coopStoreT(right, &finished[base + SIZE], 2u * SIZE);
    workgroupBarrier();
    for (var quad = thread % subgroup_size; quad < SIZE * SIZE / 2u; quad += subgroup_size) {
        let at = base + 4u * quad;
        let values = vec4<f32>(finished[at], finished[at + 1u], finished[at + 2u], finished[at + 3u]);
        if !is_surplus {
            let to = vec2<u32>(row + 4u * quad / (2u * SIZE), column + 4u * quad % (2u * SIZE));
            store(slice, to.x, to.y, values, before_columns(to.y), before_store(to.x, to.y));
        }
    }
    workgroupBarrier();
}

@compute @workgroup_size(n_threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    // Surplus groups compute but store nothing: naga requires matrices in provably uniform control flow.
    let index = group_index(group, params.grid_width);
    is_surplus = index >= params.n_groups;
    let tile = tile_of(index, vec2<u32>(TILE));
    let slice = tile.slice;
    let subgroup = thread / subgroup_size;
    let share_row = SHARE * (subgroup / 2u);
    let share_column = SHARE * (subgroup % 2u);
    let sums_wanted = SUM_LEFT && tile.column == 0u;
    for (var row = thread; row < TILE; row += n_threads) {
        row_sums[row] = 0.0;
    }
    var c00 = SumMatrix(); var c01 = SumMatrix(); var c02 = SumMatrix(); var c03 = SumMatrix();
    var c10 = SumMatrix(); var c11 = SumMatrix(); var c12 = SumMatrix(); var c13 = SumMatrix();
    var c20 = SumMatrix(); var c21 = SumMatrix(); var c22 = SumMatrix(); var c23 = SumMatrix();
    var c30 = SumMatrix(); var c31 = SumMatrix(); var c32 = SumMatrix(); var c33 = SumMatrix();

    var range = depth_range(slice);
    range.y = select(range.y, range.x, is_surplus);
    for (var k_base = range.x; k_base < range.y; k_base += DEPTH) {
        load_left(thread, tile.row, k_base);
        load_right(thread, tile.column, k_base);
        workgroupBarrier();
        for (var k = 0u; k < DEPTH; k += SIZE) {
            let first_row = share_row * PITCH + k;
            let a0 = coopLoadT<LeftMatrix>(&left_tile[first_row], PITCH);
            let a1 = coopLoadT<LeftMatrix>(&left_tile[first_row + SIZE * PITCH], PITCH);
            let a2 = coopLoadT<LeftMatrix>(&left_tile[first_row + 2u * SIZE * PITCH], PITCH);
            let a3 = coopLoadT<LeftMatrix>(&left_tile[first_row + 3u * SIZE * PITCH], PITCH);
            let first_column = share_column * PITCH + k;
            let b0 = coopLoad<RightMatrix>(&right_tile[first_column], PITCH);
            c00 = coopMultiplyAdd(a0, b0, c00); c10 = coopMultiplyAdd(a1, b0, c10);
            c20 = coopMultiplyAdd(a2, b0, c20); c30 = coopMultiplyAdd(a3, b0, c30);
            let b1 = coopLoad<RightMatrix>(&right_tile[first_column + SIZE * PITCH], PITCH);
            c01 = coopMultiplyAdd(a0, b1, c01); c11 = coopMultiplyAdd(a1, b1, c11);
            c21 = coopMultiplyAdd(a2, b1, c21); c31 = coopMultiplyAdd(a3, b1, c31);
            let b2 = coopLoad<RightMatrix>(&right_tile[first_column + 2u * SIZE * PITCH], PITCH);
            c02 = coopMultiplyAdd(a0, b2, c02); c12 = coopMultiplyAdd(a1, b2, c12);
            c22 = coopMultiplyAdd(a2, b2, c22); c32 = coopMultiplyAdd(a3, b2, c32);
            let b3 = coopLoad<RightMatrix>(&right_tile[first_column + 3u * SIZE * PITCH], PITCH);
            c03 = coopMultiplyAdd(a0, b3, c03); c13 = coopMultiplyAdd(a1, b3, c13);
            c23 = coopMultiplyAdd(a2, b3, c23); c33 = coopMultiplyAdd(a3, b3, c33);
        }
        if sums_wanted {
            sum_rows(thread);
        }
        workgroupBarrier();
    }

    let row = tile.row + share_row;
    let column = tile.column + share_column;
    finish(c00, c01, thread, slice, row, column);
    finish(c02, c03, thread, slice, row, column + 2u * SIZE);
    finish(c10, c11, thread, slice, row + SIZE, column);
    finish(c12, c13, thread, slice, row + SIZE, column + 2u * SIZE);
    finish(c20, c21, thread, slice, row + 2u * SIZE, column);
    finish(c22, c23, thread, slice, row + 2u * SIZE, column + 2u * SIZE);
    finish(c30, c31, thread, slice, row + 3u * SIZE, column);
    finish(c32, c33, thread, slice, row + 3u * SIZE, column + 2u * SIZE);

    if sums_wanted && !is_surplus {
        for (var quad = thread; quad < TILE / 4u; quad += n_threads) {
            let at = 4u * quad;
            let sums = vec4<f32>(row_sums[at], row_sums[at + 1u], row_sums[at + 2u], row_sums[at + 3u]);
            store_sums(slice, tile.row + at, sums);
        }
    }
}
