// Each of several networks has its own order of samples.

@group(0) @binding(8) var<storage, read> keys: array<vec4<u32>>; // of the Feistel network

fn round_keys() -> vec4<u32> {
    return keys[0];
}
