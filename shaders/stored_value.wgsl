// How a pixel is stored: a whole number of words, with values of 8, 16 or 32 (f32) bits for its channels.

fn words_per_pixel() -> u32 {
    return (params.picture.channels * params.picture.bits + 31u) / 32u;
}

// Which of a pixel's words holds a channel.
fn word_of(channel: u32) -> u32 {
    return channel * params.picture.bits / 32u;
}

fn stored_value(word: u32, channel: u32) -> f32 {
    switch params.picture.bits {
        case 8u: { return f32((word >> (8u * channel)) & 0xffu) / 255.0; }
        case 16u: { return f32((word >> (16u * (channel % 2u))) & 0xffffu) / 65535.0; }
        default: { return bitcast<f32>(word); }
    }
}
