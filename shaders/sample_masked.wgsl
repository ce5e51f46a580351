// Training pixels by their number: those that a mask leaves.

@group(0) @binding(7) var<storage, read> pixels: array<u32>; // y width + x of each

fn training_pixel(index: u32) -> vec2<u32> {
    let pixel = pixels[index];
    return vec2<u32>(pixel % params.width, pixel / params.width);
}
