// The picture as stored, a whole number of words per pixel, split to fit a binding's limit. The kernel's parameters say
// how: `channels`, `bits` of a stored value, 8, 16 or 32 (f32), and `words_per_part` of each binding but the last.

@group(0) @binding(1) var<storage, read> picture_0: array<u32>;
@group(0) @binding(2) var<storage, read> picture_1: array<u32>;
@group(0) @binding(3) var<storage, read> picture_2: array<u32>;
@group(0) @binding(4) var<storage, read> picture_3: array<u32>;

fn picture_word(index: u32) -> u32 {
    let within = index % params.words_per_part;
    switch index / params.words_per_part {
        case 0u: { return picture_0[within]; }
        case 1u: { return picture_1[within]; }
        case 2u: { return picture_2[within]; }
        default: { return picture_3[within]; }
    }
}

fn picture_value(pixel: u32, channel: u32) -> f32 {
    switch params.bits {
        case 8u: {
            let word = picture_word(pixel);
            return f32((word >> (8u * channel)) & 0xffu) / 255.0;
        }
        case 16u: {
            let word = picture_word(pixel * ((params.channels + 1u) / 2u) + channel / 2u);
            return f32((word >> (16u * (channel % 2u))) & 0xffffu) / 65535.0;
        }
        default: {
            return bitcast<f32>(picture_word(pixel * params.channels + channel));
        }
    }
}
