// The picture's pixels, split to fit a binding's limit: `words_per_part` of each binding but the last.

@group(0) @binding(1) var<storage, read> picture_0: array<u32>;
@group(0) @binding(2) var<storage, read> picture_1: array<u32>;
@group(0) @binding(3) var<storage, read> picture_2: array<u32>;
@group(0) @binding(4) var<storage, read> picture_3: array<u32>;

fn picture_word(index: u32) -> u32 {
    let within = index % params.picture.words_per_part;
    switch index / params.picture.words_per_part {
        case 0u: { return picture_0[within]; }
        case 1u: { return picture_1[within]; }
        case 2u: { return picture_2[within]; }
        default: { return picture_3[within]; }
    }
}

fn picture_value(pixel: u32, channel: u32) -> f32 {
    return stored_value(picture_word(pixel * words_per_pixel() + word_of(channel)), channel);
}
