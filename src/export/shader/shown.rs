//! Colours as a screen shows them: sRGB-encoded, over white.

use super::super::program::Colors;
use super::code::Code;
use super::numbers::literal;

/// The function `vec3 afterimage_shown(vec2 uv)`.
pub(super) fn function(code: &mut Code, colors: &Colors) {
    let kind = if colors.has_alpha() { "vec4" } else { "vec3" };
    code.raw("// As a screen shows it: sRGB-encoded, over white.\n");
    code.function(("vec3", "afterimage_shown"), &[("vec2", "uv")], true, |code| {
        code.value(kind, "v", "afterimage(uv$t)");
        if colors.has_alpha() {
            code.value("float", "clear", "1.0 - clamp(v.w, 0.0, 1.0)");
        }
        let exposure = literal(colors.exposure);
        match (colors.is_linear, colors.has_alpha()) {
            (false, false) => return code.line("return v;"),
            (false, true) => return code.line("return v.xyz * (1.0 - clear) + clear;"),
            (true, false) => code.value("vec3", "light", &format!("v * {exposure}")),
            (true, true) => code.value("vec3", "light", &format!("v.xyz * {exposure} + clear")),
        }
        code.value("vec3", "l", "clamp(light, vec3(0.0, 0.0, 0.0), vec3(1.0, 1.0, 1.0))");
        let power = "vec3(0.41666667, 0.41666667, 0.41666667)";
        code.value("vec3", "bright", &format!("1.055 * pow(l, {power}) - 0.055"));
        let edge = "vec3(0.0031308, 0.0031308, 0.0031308)";
        code.line(&format!("return 12.92 * l + (bright - 12.92 * l) * step({edge}, l);"));
    });
}
