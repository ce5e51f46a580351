// Workgroup memory in vectors of four, so that four numbers are one store, and drivers know how matrices are aligned.
const CELL: u32 = 4u;
alias OperandCell = vec4<Stored>;
alias SumCell = vec4<f32>;

fn put_left(at: u32, four: vec4<Stored>) {
    left_tile[at / 4u] = four;
}

fn put_right(at: u32, four: vec4<Stored>) {
    right_tile[at / 4u] = four;
}

fn put_sums(at: u32, four: vec4<f32>) {
    sum_cells[at / 4u] = four;
}

fn four_sums(at: u32) -> vec4<f32> {
    return sum_cells[at / 4u];
}

fn four_right(at: u32) -> vec4<Stored> {
    return right_tile[at / 4u];
}
