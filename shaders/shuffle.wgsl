// The order of an epoch's samples: `model::sampling::Shuffle`. `sample_order_of_step.wgsl` or
// `sample_order_of_network.wgsl` has its keys.

@group(1) @binding(0) var<uniform> step: StepParams;

// What a number of this order stands for.
struct Sample {
    pixel: vec2<u32>,
    weight: f32,
}

// The finaliser of MurmurHash3.
fn mix_bits(hash: u32) -> u32 {
    var h = hash;
    h ^= h >> 16u;
    h *= 0x85ebca6bu;
    h ^= h >> 13u;
    h *= 0xc2b2ae35u;
    return h ^ (h >> 16u);
}

fn feistel_round(halves: vec2<u32>, key: u32, mask: u32) -> vec2<u32> {
    return vec2<u32>(halves.y, halves.x ^ (mix_bits(halves.y ^ key) & mask));
}

fn shuffled(i: u32) -> u32 {
    let key = round_keys();
    let mask = (1u << step.half_bits) - 1u;
    var x = i;
    loop {
        var halves = vec2<u32>(x >> step.half_bits, x & mask);
        halves = feistel_round(halves, key.x, mask);
        halves = feistel_round(halves, key.y, mask);
        halves = feistel_round(halves, key.z, mask);
        halves = feistel_round(halves, key.w, mask);
        x = (halves.x << step.half_bits) | halves.y;
        if x < step.n_samples {
            break;
        }
    }
    return x;
}
