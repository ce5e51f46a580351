#version 300 es
precision highp float;
precision highp int;
//PROGRAM//
uniform vec4 view[3]; // as in main.wgsl
out vec4 color;

void main() {
    vec2 p = vec2(gl_FragCoord.x, view[2].y - gl_FragCoord.y);
    bool deep = view[1].w > 0.5;
    vec2 v = view[0].xy + p * view[0].zw;
    vec2 cell = floor(v);
    float n = view[2].x;
    vec3 sum = vec3(0.0);
    for (float y = 0.0; y < n; y++) {
        for (float x = 0.0; x < n; x++) {
            vec2 corner = vec2(x, y);
            vec2 uv = v + ((corner + 0.5) / n - 0.5) * view[0].zw;
            float weight = 1.0 / (n * n);
            if (deep) {
                uv = (view[1].xy + cell + corner) * view[1].z;
                vec2 t = mix(1.0 - (v - cell), v - cell, corner);
                weight = t.x * t.y;
            }
            sum += weight * afterimage_shown(uv);
        }
    }
    vec2 at = deep ? (view[1].xy + v) * view[1].z : v;
    bool inside = all(equal(at, clamp(at, 0.0, 1.0)));
    color = vec4(inside ? sum : vec3(0.06), 1.0);
}
