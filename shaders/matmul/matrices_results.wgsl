// Where the results of cooperative matrices go. They pass through workgroup memory two matrices at a time, side by side,
// since only there their elements have a known order; more would not fit beside the tiles.

const SUM_PITCH: u32 = 2u * SIZE + 4u;
const PAIR_QUADS: u32 = SIZE * SIZE / 2u;
// A subgroup's part of `sum_cells`: two matrices, or at the end the sums of left of a subgroup of 64.
const SHARE_SUMS: u32 = max(SIZE * SUM_PITCH, select(0u, 512u, SUM_LEFT));
// Fours of two matrices that a thread stores: at most four.
override quad_rounds: u32 = PAIR_QUADS / subgroup_size;

var<workgroup> sum_cells: array<SumCell, SUBGROUP_ROWS * SUBGROUP_COLUMNS * SHARE_SUMS / CELL>;

// What a thread stores of two matrices needs of what is there.
struct Befores { v0: Before, v1: Before, v2: Before, v3: Before }

// What a thread stores of four matrices side by side, two and two, needs of what is there.
struct RowBefores { left: Befores, right: Befores }

// The results of a subgroup, and what storing them needs of a thread's columns.
struct Share {
    slice: u32,
    column: u32, // its first
    of_left: vec4<f32>,
    of_right: vec4<f32>,
}

var<private> is_surplus: bool;
var<private> lane: u32;
var<private> share_sums: u32; // the subgroup's first of `sum_cells`

// Row and column of one of the thread's fours of two matrices. All have one column: a subgroup takes whole rows.
fn place_in_pair(round: u32) -> vec2<u32> {
    let quad = min(lane + round * subgroup_size, PAIR_QUADS - 1u);
    return vec2<u32>(quad / (SIZE / 2u), 4u * (quad % (SIZE / 2u)));
}

fn before_quad(row: u32, column: u32, round: u32) -> Before {
    let place = place_in_pair(round);
    return before_store(row + place.x, column + place.y);
}

fn befores(row: u32, column: u32) -> Befores {
    var all = Befores();
    all.v0 = before_quad(row, column, 0u);
    if quad_rounds > 1u { all.v1 = before_quad(row, column, 1u); }
    if quad_rounds > 2u { all.v2 = before_quad(row, column, 2u); }
    if quad_rounds > 3u { all.v3 = before_quad(row, column, 3u); }
    return all;
}

fn share_of(slice: u32, column: u32) -> Share {
    let first = column + place_in_pair(0u).y;
    return Share(slice, column, before_columns(first), before_columns(first + 2u * SIZE));
}

fn finish_quad(slice: u32, row: u32, column: u32, of_columns: vec4<f32>, round: u32, before: Before) {
    let place = place_in_pair(round);
    let sums = four_sums(share_sums + place.x * SUM_PITCH + place.y);
    store(slice, row + place.x, column + place.y, sums, of_columns, before);
}

// Stores two matrices side by side.
fn finish_pair(
    m0: SumMatrix, m1: SumMatrix, slice: u32, row: u32, column: u32, of_columns: vec4<f32>, before: Befores,
) {
    coopStoreT(m0, &sum_cells[share_sums / CELL], SUM_PITCH / CELL);
    coopStoreT(m1, &sum_cells[(share_sums + SIZE) / CELL], SUM_PITCH / CELL);
    workgroupBarrier();
    if !is_surplus {
        if lane < PAIR_QUADS { finish_quad(slice, row, column, of_columns, 0u, before.v0); }
        if quad_rounds > 1u { finish_quad(slice, row, column, of_columns, 1u, before.v1); }
        if quad_rounds > 2u { finish_quad(slice, row, column, of_columns, 2u, before.v2); }
        if quad_rounds > 3u { finish_quad(slice, row, column, of_columns, 3u, before.v3); }
    }
    workgroupBarrier();
}

// Stores four matrices side by side, and meanwhile reads what those from next_row on will need.
fn finish_row(
    m0: SumMatrix, m1: SumMatrix, m2: SumMatrix, m3: SumMatrix,
    share: Share, row: u32, before: RowBefores, next_row: u32,
) -> RowBefores {
    let right_column = share.column + 2u * SIZE;
    let left = befores(next_row, share.column);
    finish_pair(m0, m1, share.slice, row, share.column, share.of_left, before.left);
    let right = befores(next_row, right_column);
    finish_pair(m2, m3, share.slice, row, right_column, share.of_right, before.right);
    return RowBefores(left, right);
}

// The sums of left, each of eight rows from the threads that moved them, which are TILE_ROWS / 8 apart.
fn finish_sums(thread: u32, slice: u32, row_base: u32) {
    const EIGHTS: u32 = TILE_ROWS / 8u;
    put_sums(8u * thread, left_sum_low);
    put_sums(8u * thread + 4u, left_sum_high);
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
