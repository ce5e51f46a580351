// Samples that the step fetches itself, from all training pixels of a picture: as in `sample.wgsl`.

@group(0) @binding(3) var<storage, read> picture_0: array<u32>;
@group(0) @binding(4) var<storage, read> picture_1: array<u32>;
@group(0) @binding(5) var<storage, read> picture_2: array<u32>;

override PICTURE_PARTS: u32 = 1u; // bindings that the picture is split over

var<workgroup> pixels: array<vec4<u32>, 32>; // y width + x of each sample of the block

fn picture_word(index: u32) -> u32 {
    if PICTURE_PARTS == 1u {
        return picture_0[index];
    }
    let within = index % params.picture.words_per_part;
    switch index / params.picture.words_per_part {
        case 0u: { return picture_0[within]; }
        case 1u: { return picture_1[within]; }
        default: { return picture_2[within]; }
    }
}

// Of samples beyond the last, that of the last.
fn pixel_of(sample: u32) -> vec2<u32> {
    let row = min(sample, params.n_samples - 1u);
    return draw(shuffled(step.first_sample + params.picture.first_row + row)).pixel;
}

fn load_positions(first_sample: u32, thread: u32) {
    for (var base = 0u; base < QUADS; base += GROUP) {
        let i = base + thread;
        if i < QUADS {
            let at = first_sample + 4u * i;
            let p0 = pixel_of(at);
            let p1 = pixel_of(at + 1u);
            let p2 = pixel_of(at + 2u);
            let p3 = pixel_of(at + 3u);
            let x = vec4<u32>(p0.x, p1.x, p2.x, p3.x);
            let y = vec4<u32>(p0.y, p1.y, p2.y, p3.y);
            pixels[i] = y * params.picture.width + x;
            positions[i] = vec4<f32>(x) * params.picture.step.x + params.picture.origin.x;
            positions[QUADS + i] = vec4<f32>(y) * params.picture.step.y + params.picture.origin.y;
        }
    }
}

// Those from `sample` on, the first of a vector of the block.
fn four_targets(sample: u32, channel: u32) -> Targets {
    let at = pixels[sample % BLOCK / 4u] * words_per_pixel() + word_of(channel);
    let words = vec4<u32>(picture_word(at.x), picture_word(at.y), picture_word(at.z), picture_word(at.w));
    let values = vec4<f32>(
        stored_value(words.x, channel), stored_value(words.y, channel),
        stored_value(words.z, channel), stored_value(words.w, channel),
    );
    return Targets(values, vec4<f32>(1.0));
}
