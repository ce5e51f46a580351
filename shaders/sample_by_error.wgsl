// Training pixels by number: more samples from blocks with larger errors, see `model::Importance`.

const BLOCK: u32 = 8u;

@group(0) @binding(8) var<storage, read> starts: array<u32>; // (blocks + 1): first sample of each, in order

fn draw(index: u32) -> Sample {
    let across = (params.picture.columns + BLOCK - 1u) / BLOCK;
    let down = (params.picture.rows + BLOCK - 1u) / BLOCK;
    // starts[block] <= index < starts[end]
    var block = 0u;
    var end = across * down;
    while end - block > 1u {
        let middle = (block + end) / 2u;
        if starts[middle] <= index {
            block = middle;
        } else {
            end = middle;
        }
    }
    let corner = BLOCK * vec2<u32>(block % across, block / across);
    let size = min(vec2<u32>(BLOCK), vec2<u32>(params.picture.columns, params.picture.rows) - corner);
    let area = size.x * size.y;
    let first = mix_bits(step.keys.x ^ mix_bits(block)) % area;
    let within = (index - starts[block] + first) % area;
    let pixel = params.picture.stride * (corner + vec2<u32>(within % size.x, within / size.x));
    return Sample(pixel, f32(area) / f32(starts[block + 1u] - starts[block]));
}
