// Where the results of cooperative matrices go. They pass through workgroup memory a matrix at a time, since only there
// their elements have a known order.

const SUM_PITCH: u32 = SIZE + 8u;
const SUM_QUADS: u32 = SIZE * SIZE / 4u;
// A subgroup's part of `sum_cells`: a matrix, or at the end the sums of left of a subgroup of 64.
const SHARE_SUMS: u32 = select(SIZE * SUM_PITCH, 512u, SUM_LEFT);

var<workgroup> sum_cells: array<SumCell, SUBGROUP_ROWS * SUBGROUP_COLUMNS * SHARE_SUMS / CELL>;

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

var<private> is_surplus: bool;
var<private> lane: u32;
var<private> share_sums: u32; // the subgroup's first of `sum_cells`

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
    coopStoreT(matrix, &sum_cells[share_sums / CELL], SUM_PITCH / CELL);
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
