//! What differs between the shading languages. Code is written in GLSL's words for types, and these are replaced.

/// A shading language, in the order of the tables below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Dialect {
    Glsl,
    Hlsl,
    Wgsl,
    Msl,
}

/// GLSL's words, each with those of HLSL, WGSL and MSL. A `word` is 32 bits in an array of constants: GLSL's literals
/// without a `u` are signed, and are shorter.
const TYPES: [(&str, [&str; 4]); 10] = [
    ("float", ["float", "float", "f32", "float"]),
    ("vec2", ["vec2", "float2", "vec2f", "float2"]),
    ("vec3", ["vec3", "float3", "vec3f", "float3"]),
    ("vec4", ["vec4", "float4", "vec4f", "float4"]),
    ("mat4", ["mat4", "float4x4", "mat4x4f", "float4x4"]),
    ("uint", ["uint", "uint", "u32", "uint"]),
    ("uvec2", ["uvec2", "uint2", "vec2u", "uint2"]),
    ("uvec4", ["uvec4", "uint4", "vec4u", "uint4"]),
    ("word", ["int", "uint", "u32", "uint"]),
    ("ivec2", ["ivec2", "int2", "vec2i", "int2"]),
];

/// Texels across the texture that GLSL reads a table from.
pub(in super::super) const TABLE_WIDTH: usize = 512;

impl Dialect {
    fn pick<T: Copy>(self, of: [T; 4]) -> T {
        of[self as usize]
    }

    /// `text` with this language's words for types.
    pub(super) fn translated(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let is_in_word = is_word(first);
            let end = rest.find(|c| is_word(c) != is_in_word).unwrap_or(rest.len());
            let (token, behind) = rest.split_at(end);
            let known = TYPES.iter().find(|(name, _)| *name == token);
            out.push_str(known.map_or(token, |(_, names)| self.pick(*names)));
            rest = behind;
        }
        out
    }

    /// Four times the same number.
    pub(super) fn splat(self, value: &str) -> String {
        match self {
            Self::Hlsl => format!("({value}).xxxx"),
            _ => format!("vec4({value})"),
        }
    }

    pub(super) fn product(self, matrix: &str, vector: &str) -> String {
        // HLSL's constructors take rows, so there the matrix is the transposed one.
        match self {
            Self::Hlsl => format!("mul({vector}, {matrix})"),
            _ => format!("{matrix} * {vector}"),
        }
    }

    pub(super) fn select(self, condition: &str, yes: &str, no: &str) -> String {
        match self {
            Self::Wgsl => format!("select({no}, {yes}, {condition})"),
            _ => format!("{condition} ? {yes} : {no}"),
        }
    }

    /// Four floats from their bits.
    pub(super) fn floats(self, words: &str) -> String {
        let name = self.pick(["uintBitsToFloat", "asfloat", "bitcast<vec4>", "as_type<float4>"]);
        format!("{name}({words})")
    }

    /// Two floats from halves in a word.
    pub(super) fn halves(self, word: &str) -> String {
        match self {
            Self::Glsl => format!("unpackHalf2x16({word})"),
            Self::Hlsl => format!("f16tof32(uvec2({word}, {word} >> 16u))"),
            Self::Wgsl => format!("unpack2x16float({word})"),
            Self::Msl => format!("vec2(as_type<half2>({word}))"),
        }
    }

    /// Entry `i` of the table: four words.
    pub(super) fn entry(self, i: &str) -> String {
        match self {
            Self::Glsl => {
                format!("texelFetch(afterimage_table, ivec2({i} % {TABLE_WIDTH}u, {i} / {TABLE_WIDTH}u), 0)")
            }
            Self::Msl => format!("table[{i}]"),
            _ => format!("afterimage_table[{i}]"),
        }
    }

    /// The declaration of the table. MSL has none: there it is an argument.
    pub(super) fn table(self) -> &'static str {
        self.pick([
            "uniform highp usampler2D afterimage_table;\n",
            "StructuredBuffer<uint4> afterimage_table : register(t0);\n",
            "@group(0) @binding(0) var<storage, read> afterimage_table: array<vec4u>;\n",
            "",
        ])
    }

    /// The parameter for the table, and the argument.
    pub(super) fn passed(self) -> [&'static str; 2] {
        self.pick([[""; 2], [""; 2], [""; 2], [", device const uint4* table", ", table"]])
    }

    /// How a program gives the table of `bytes` bytes to the shader: lines of comments.
    pub(super) fn loader(self, bytes: usize) -> String {
        let height = bytes / 16 / TABLE_WIDTH;
        match self {
            Self::Glsl => format!(
                "// afterimage_table is a texture with the bytes of the file beside this one. In WebGL2, with it bound:\n\
                 //   gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32UI, {TABLE_WIDTH}, {height}, 0, gl.RGBA_INTEGER, gl.UNSIGNED_INT, new Uint32Array(bytes));\n\
                 //   gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);\n\
                 //   gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);\n"
            ),
            Self::Wgsl => "// afterimage_table is a storage buffer with the bytes of the file beside this one:\n\
                 //   const table = device.createBuffer({size: bytes.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST});\n\
                 //   device.queue.writeBuffer(table, 0, bytes);\n"
                .to_owned(),
            Self::Hlsl => format!(
                "// afterimage_table is a buffer of {} elements of 16 bytes, the bytes of the file beside this one, as the\n\
                 // initial data of ID3D11Device::CreateBuffer or uploaded to a committed resource.\n",
                bytes / 16
            ),
            Self::Msl => "// table is a buffer with the bytes of the file beside this one:\n\
                 //   id<MTLBuffer> table = [device newBufferWithBytes:bytes length:length options:MTLResourceStorageModeShared];\n"
                .to_owned(),
        }
    }

    /// An array of constants.
    pub(super) fn constants(self, kind: &str, name: &str, values: &[String]) -> String {
        let (n, list) = (values.len(), lines(values));
        match self {
            Self::Glsl => format!("const {kind} {name}[{n}] = {kind}[{n}](\n{list});\n"),
            Self::Wgsl => format!("const {name} = array<{kind}, {n}>(\n{list});\n"),
            Self::Hlsl => format!("static const {kind} {name}[{n}] = {{\n{list}}};\n"),
            Self::Msl => format!("constant {kind} {name}[{n}] = {{\n{list}}};\n"),
        }
    }
}

/// `values` with commas between them, in lines of about a hundred characters.
fn lines(values: &[String]) -> String {
    let (mut text, mut begin) = (String::new(), 0);
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        if text.len() - begin > 100 {
            text.push('\n');
            begin = text.len();
        }
        text.push_str(value);
    }
    text
}
