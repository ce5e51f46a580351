// Workgroup memory in single numbers: Metal loads and stores matrices from and to nothing else.
const CELL: u32 = 1u;
alias OperandCell = Stored;
alias SumCell = f32;

fn put_left(at: u32, four: vec4<Stored>) {
    left_tile[at] = four.x; left_tile[at + 1u] = four.y; left_tile[at + 2u] = four.z; left_tile[at + 3u] = four.w;
}

fn put_right(at: u32, four: vec4<Stored>) {
    right_tile[at] = four.x; right_tile[at + 1u] = four.y; right_tile[at + 2u] = four.z; right_tile[at + 3u] = four.w;
}

fn put_sums(at: u32, four: vec4<f32>) {
    sum_cells[at] = four.x; sum_cells[at + 1u] = four.y; sum_cells[at + 2u] = four.z; sum_cells[at + 3u] = four.w;
}

fn four_sums(at: u32) -> vec4<f32> {
    return vec4<f32>(sum_cells[at], sum_cells[at + 1u], sum_cells[at + 2u], sum_cells[at + 3u]);
}

fn four_right(at: u32) -> vec4<Stored> {
    return vec4<Stored>(right_tile[at], right_tile[at + 1u], right_tile[at + 2u], right_tile[at + 3u]);
}
