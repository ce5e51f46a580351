// Numbers in fours: four neighbours in storage are one load where rows begin on whole vectors, whatever their width, and
// else two, of which four numbers are taken.

// Numbers shift.. shift + 3 of eight; shift is below 4.
fn four_of(first: vec4<f32>, next: vec4<f32>, shift: u32) -> vec4<f32> {
    let by_two = shift >= 2u;
    let near = select(first, vec4<f32>(first.zw, next.xy), by_two);
    let fifth = select(next.x, next.z, by_two);
    return select(near, vec4<f32>(near.yzw, fifth), shift % 2u == 1u);
}

fn stored_four_of(first: vec4<Stored>, next: vec4<Stored>, shift: u32) -> vec4<Stored> {
    return vec4<Stored>(four_of(vec4<f32>(first), vec4<f32>(next), shift));
}

// Which of four numbers from `first` on, in a row of `n`, are there. If rows are aligned, all are or none is.
fn are_inside(first: u32, n: u32, is_aligned: bool) -> vec4<bool> {
    if is_aligned {
        return vec4<bool>(first < n);
    }
    return vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(n);
}

fn activations(z: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(activation(z.x), activation(z.y), activation(z.z), activation(z.w));
}

fn derivatives(z: vec4<f32>) -> vec4<f32> {
    return vec4<f32>(
        activation_derivative(z.x), activation_derivative(z.y),
        activation_derivative(z.z), activation_derivative(z.w),
    );
}

// Four vectors that a thread moves at a time.
struct Block {
    v0: vec4<f32>,
    v1: vec4<f32>,
    v2: vec4<f32>,
    v3: vec4<f32>,
}

fn transposed(b: Block) -> Block {
    return Block(
        vec4<f32>(b.v0.x, b.v1.x, b.v2.x, b.v3.x), vec4<f32>(b.v0.y, b.v1.y, b.v2.y, b.v3.y),
        vec4<f32>(b.v0.z, b.v1.z, b.v2.z, b.v3.z), vec4<f32>(b.v0.w, b.v1.w, b.v2.w, b.v3.w),
    );
}
