// Training pixels by number: those inside a mask.

@group(0) @binding(8) var<storage, read> pixels: array<u32>; // y width + x of each

fn draw(index: u32) -> Sample {
    let pixel = pixels[index];
    return Sample(vec2<u32>(pixel % params.picture.width, pixel / params.picture.width), 1.0);
}
