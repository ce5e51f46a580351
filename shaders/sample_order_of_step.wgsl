fn round_keys() -> vec4<u32> {
    return step.keys;
}
