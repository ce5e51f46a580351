// The core of matrix products with cooperative matrices, from f16 with sums in f32: out = left right. A kernel joins
// it instead of `tiles.wgsl`, and supplies the same and
//   left_stored(four), right_stored(four)    values as f16
// `matrices_8.wgsl` or `matrices_16.wgsl` gives the size of a matrix, `groups_2x2.wgsl` or `groups_2x4.wgsl` the
// subgroups of a workgroup, `cells_of_four.wgsl` or `cells_of_one.wgsl` the elements of its memory.
//
// A subgroup computes 4 x 4 matrices of results. No subgroup operation is used: with both in a module, some drivers
// fail. The sums are separate variables, since arrays of matrices are not allowed.
//
// Tiles keep the order of memory: neighbours in k or neighbouring rows or columns. A matrix is loaded from either.

const SHARE: u32 = 4u * SIZE;                   // rows and columns of results of a subgroup
const TILE_ROWS: u32 = SUBGROUP_ROWS * SHARE;   // of a workgroup
const TILE_COLUMNS: u32 = SUBGROUP_COLUMNS * SHARE;
const DEPTH: u32 = 32u;                         // of a tile in k

override subgroup_size: u32;
override n_threads: u32 = SUBGROUP_ROWS * SUBGROUP_COLUMNS * subgroup_size;

// Numbers in a line of memory. Lines of tiles are padded by 16 bytes, against bank conflicts.
const LEFT_LINE: u32 = select(TILE_ROWS, DEPTH, LEFT_ALONG_K);
const RIGHT_LINE: u32 = select(TILE_COLUMNS, DEPTH, RIGHT_ALONG_K);
const LEFT_PITCH: u32 = LEFT_LINE + 8u;
const RIGHT_PITCH: u32 = RIGHT_LINE + 8u;
const LEFT_EIGHTS: u32 = TILE_ROWS * DEPTH / 8u;
const RIGHT_EIGHTS: u32 = TILE_COLUMNS * DEPTH / 8u;
override left_rounds: u32 = LEFT_EIGHTS / n_threads;
override right_rounds: u32 = RIGHT_EIGHTS / n_threads;

// Results pass through workgroup memory a matrix at a time, since only there their elements have a known order.
const SUM_PITCH: u32 = SIZE + 8u;
const SUM_QUADS: u32 = SIZE * SIZE / 4u;
// A subgroup's part of that, or of the sums of left for a subgroup of 64.
const SHARE_SUMS: u32 = select(SIZE * SUM_PITCH, 512u, SUM_LEFT);

var<workgroup> left_tile: array<HalfCell, LEFT_EIGHTS * 8u / LEFT_LINE * LEFT_PITCH / CELL>;
var<workgroup> right_tile: array<HalfCell, RIGHT_EIGHTS * 8u / RIGHT_LINE * RIGHT_PITCH / CELL>;
var<workgroup> sums: array<SumCell, SUBGROUP_ROWS * SUBGROUP_COLUMNS * SHARE_SUMS / CELL>;

// Eight neighbours in memory.
struct LeftEight { v0: LeftFour, v1: LeftFour }
struct RightEight { v0: RightFour, v1: RightFour }

fn left_eight(index: u32, row_base: u32, k_base: u32) -> LeftEight {
    let line = index / (LEFT_LINE / 8u);
    let at = 8u * (index % (LEFT_LINE / 8u));
    if LEFT_ALONG_K {
        return LeftEight(left_four(row_base + line, k_base + at), left_four(row_base + line, k_base + at + 4u));
    }
    return LeftEight(left_four(row_base + at, k_base + line), left_four(row_base + at + 4u, k_base + line));
}

fn right_eight(index: u32, column_base: u32, k_base: u32) -> RightEight {
    let line = index / (RIGHT_LINE / 8u);
    let at = 8u * (index % (RIGHT_LINE / 8u));
    if RIGHT_ALONG_K {
        return RightEight(
            right_four(k_base + at, column_base + line), right_four(k_base + at + 4u, column_base + line),
        );
    }
    return RightEight(
        right_four(k_base + line, column_base + at), right_four(k_base + line, column_base + at + 4u),
    );
}

fn keep_left_eight(index: u32, eight: LeftEight) {
    let v0 = left_stored(eight.v0);
    let v1 = left_stored(eight.v1);
    let at = index / (LEFT_LINE / 8u) * LEFT_PITCH + 8u * (index % (LEFT_LINE / 8u));
    put_left(at, v0);
    put_left(at + 4u, v1);
    if SUM_LEFT {
        left_sum0 += vec4<f32>(v0);
        left_sum1 += vec4<f32>(v1);
    }
}

fn keep_right_eight(index: u32, eight: RightEight) {
    let at = index / (RIGHT_LINE / 8u) * RIGHT_PITCH + 8u * (index % (RIGHT_LINE / 8u));
    put_right(at, right_stored(eight.v0));
    put_right(at + 4u, right_stored(eight.v1));
}

// What a thread moves of a tile, on its way.
struct Moved {
    left0: LeftEight, left1: LeftEight, left2: LeftEight, left3: LeftEight,
    left4: LeftEight, left5: LeftEight, left6: LeftEight, left7: LeftEight,
    right0: RightEight, right1: RightEight, right2: RightEight, right3: RightEight,
    right4: RightEight, right5: RightEight, right6: RightEight, right7: RightEight,
}

fn fetch(thread: u32, tile: Tile, k_base: u32) -> Moved {
    var moved = Moved();
    moved.left0 = left_eight(thread, tile.row, k_base);
    if left_rounds > 1u { moved.left1 = left_eight(thread + n_threads, tile.row, k_base); }
    if left_rounds > 2u { moved.left2 = left_eight(thread + 2u * n_threads, tile.row, k_base); }
    if left_rounds > 3u { moved.left3 = left_eight(thread + 3u * n_threads, tile.row, k_base); }
    if left_rounds > 4u { moved.left4 = left_eight(thread + 4u * n_threads, tile.row, k_base); }
    if left_rounds > 5u { moved.left5 = left_eight(thread + 5u * n_threads, tile.row, k_base); }
    if left_rounds > 6u { moved.left6 = left_eight(thread + 6u * n_threads, tile.row, k_base); }
    if left_rounds > 7u { moved.left7 = left_eight(thread + 7u * n_threads, tile.row, k_base); }
    moved.right0 = right_eight(thread, tile.column, k_base);
    if right_rounds > 1u { moved.right1 = right_eight(thread + n_threads, tile.column, k_base); }
    if right_rounds > 2u { moved.right2 = right_eight(thread + 2u * n_threads, tile.column, k_base); }
    if right_rounds > 3u { moved.right3 = right_eight(thread + 3u * n_threads, tile.column, k_base); }
    if right_rounds > 4u { moved.right4 = right_eight(thread + 4u * n_threads, tile.column, k_base); }
    if right_rounds > 5u { moved.right5 = right_eight(thread + 5u * n_threads, tile.column, k_base); }
    if right_rounds > 6u { moved.right6 = right_eight(thread + 6u * n_threads, tile.column, k_base); }
    if right_rounds > 7u { moved.right7 = right_eight(thread + 7u * n_threads, tile.column, k_base); }
    return moved;
}

fn keep(thread: u32, moved: Moved) {
    keep_left_eight(thread, moved.left0);
    if left_rounds > 1u { keep_left_eight(thread + n_threads, moved.left1); }
    if left_rounds > 2u { keep_left_eight(thread + 2u * n_threads, moved.left2); }
    if left_rounds > 3u { keep_left_eight(thread + 3u * n_threads, moved.left3); }
    if left_rounds > 4u { keep_left_eight(thread + 4u * n_threads, moved.left4); }
    if left_rounds > 5u { keep_left_eight(thread + 5u * n_threads, moved.left5); }
    if left_rounds > 6u { keep_left_eight(thread + 6u * n_threads, moved.left6); }
    if left_rounds > 7u { keep_left_eight(thread + 7u * n_threads, moved.left7); }
    keep_right_eight(thread, moved.right0);
    if right_rounds > 1u { keep_right_eight(thread + n_threads, moved.right1); }
    if right_rounds > 2u { keep_right_eight(thread + 2u * n_threads, moved.right2); }
    if right_rounds > 3u { keep_right_eight(thread + 3u * n_threads, moved.right3); }
    if right_rounds > 4u { keep_right_eight(thread + 4u * n_threads, moved.right4); }
    if right_rounds > 5u { keep_right_eight(thread + 5u * n_threads, moved.right5); }
    if right_rounds > 6u { keep_right_eight(thread + 6u * n_threads, moved.right6); }
    if right_rounds > 7u { keep_right_eight(thread + 7u * n_threads, moved.right7); }
}

fn load_left(row: u32, k: u32) -> LeftMatrix {
    if LEFT_ALONG_K {
        return coopLoadT<LeftMatrix>(&left_tile[(row * LEFT_PITCH + k) / CELL], LEFT_PITCH / CELL);
    }
    return coopLoad<LeftMatrix>(&left_tile[(k * LEFT_PITCH + row) / CELL], LEFT_PITCH / CELL);
}

fn load_right(k: u32, column: u32) -> RightMatrix {
    if RIGHT_ALONG_K {
        return coopLoad<RightMatrix>(&right_tile[(column * RIGHT_PITCH + k) / CELL], RIGHT_PITCH / CELL);
    }
    return coopLoadT<RightMatrix>(&right_tile[(k * RIGHT_PITCH + column) / CELL], RIGHT_PITCH / CELL);
}

// What a thread stores of a matrix of results, two fours of a row or one, needs of what is there.
struct Befores {
    v0: Before,
    v1: Before,
}

// Of four matrices side by side.
struct RowBefores {
    m0: Befores,
    m1: Befores,
    m2: Befores,
    m3: Befores,
}

var<private> left_sum0: vec4<f32>;
var<private> left_sum1: vec4<f32>;
var<private> is_surplus: bool;
var<private> lane: u32;
var<private> share_sums: u32; // the subgroup's first of `sums`

// Row and column of a four within a matrix.
fn place_in_matrix(quad: u32) -> vec2<u32> {
    return vec2<u32>(quad / (SIZE / 4u), 4u * (quad % (SIZE / 4u)));
}

fn befores(row: u32, column: u32) -> Befores {
    let first = place_in_matrix(min(lane, SUM_QUADS - 1u));
    var all = Befores();
    all.v0 = before_store(row + first.x, column + first.y);
    if subgroup_size < SUM_QUADS {
        let second = place_in_matrix(lane + subgroup_size);
        all.v1 = before_store(row + second.x, column + second.y);
    }
    return all;
}

fn row_befores(row: u32, column: u32) -> RowBefores {
    return RowBefores(
        befores(row, column), befores(row, column + SIZE),
        befores(row, column + 2u * SIZE), befores(row, column + 3u * SIZE),
    );
}

fn finish_four(slice: u32, row: u32, column: u32, quad: u32, before: Before) {
    let place = place_in_matrix(quad);
    let at = share_sums + place.x * SUM_PITCH + place.y;
    let to = vec2<u32>(row, column) + place;
    store(slice, to.x, to.y, four_sums(at), before_columns(to.y), before);
}

fn finish(matrix: SumMatrix, before: Befores, slice: u32, row: u32, column: u32) {
    coopStoreT(matrix, &sums[share_sums / CELL], SUM_PITCH / CELL);
    workgroupBarrier();
    if !is_surplus {
        if lane < SUM_QUADS {
            finish_four(slice, row, column, lane, before.v0);
        }
        if subgroup_size < SUM_QUADS {
            finish_four(slice, row, column, lane + subgroup_size, before.v1);
        }
    }
    workgroupBarrier();
}

// Stores four matrices side by side, and meanwhile reads what those from next_row on will need.
fn finish_row(
    m0: SumMatrix, m1: SumMatrix, m2: SumMatrix, m3: SumMatrix,
    before: RowBefores, slice: u32, row: u32, column: u32, next_row: u32,
) -> RowBefores {
    let following = row_befores(next_row, column);
    finish(m0, before.m0, slice, row, column);
    finish(m1, before.m1, slice, row, column + SIZE);
    finish(m2, before.m2, slice, row, column + 2u * SIZE);
    finish(m3, before.m3, slice, row, column + 3u * SIZE);
    return following;
}

// The sums of left, each eight rows from the threads that moved them, which are TILE_ROWS / 8 apart.
fn finish_sums(thread: u32, slice: u32, row_base: u32) {
    const EIGHTS: u32 = TILE_ROWS / 8u;
    put_sums(8u * thread, left_sum0);
    put_sums(8u * thread + 4u, left_sum1);
    workgroupBarrier();
    for (var quad = thread; quad < 2u * EIGHTS; quad += n_threads) {
        var sum = vec4<f32>();
        for (var other = quad; other < 2u * n_threads; other += 2u * EIGHTS) {
            sum += four_sums(4u * other);
        }
        if !is_surplus {
            store_sums(slice, row_base + 4u * quad, sum);
        }
    }
}

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
    left_sum0 = vec4<f32>();
    left_sum1 = vec4<f32>();
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
    let column = tile.column + share_column;
    var before = row_befores(row, column);
    before = finish_row(c00, c01, c02, c03, before, slice, row, column, row + SIZE);
    before = finish_row(c10, c11, c12, c13, before, slice, row + SIZE, column, row + 2u * SIZE);
    before = finish_row(c20, c21, c22, c23, before, slice, row + 2u * SIZE, column, row + 3u * SIZE);
    _ = finish_row(c30, c31, c32, c33, before, slice, row + 3u * SIZE, column, row + 3u * SIZE);

    if SUM_LEFT && tile.column == 0u {
        finish_sums(thread, slice, tile.row);
    }
}
