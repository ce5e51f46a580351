// Copies columns of one matrix to another, for encodings that are side by side.

struct CopyColumnsParams {
    grid_width: u32,
    n_rows: u32,
    n_columns: u32,    // that are copied
    from_width: u32,   // of a row
    from_column: u32,
    to_width: u32,
    to_column: u32,
}

@group(0) @binding(0) var<uniform> params: CopyColumnsParams;
@group(0) @binding(1) var<storage, read> source: array<Stored>;       // (n, from_width)
@group(0) @binding(2) var<storage, read_write> target_rows: array<Stored>; // (n, to_width)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let i = group_index(group, params.grid_width) * THREADS + thread;
    let n = params.n_columns;
    if i >= params.n_rows * n {
        return;
    }
    let row = i / n;
    let column = i % n;
    target_rows[row * params.to_width + params.to_column + column] =
        source[row * params.from_width + params.from_column + column];
}
