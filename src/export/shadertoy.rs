//! A shader to paste into Shadertoy, where there is no file beside it.

use super::program::Program;
use super::shader::{Dialect, Places, shader};

/// Most entries of grids as constants of a shader: compilers take minutes for more.
const MAX_ENTRIES: usize = 1 << 14;

/// `afterimage` and a `mainImage` that shows the whole picture.
pub(super) fn shader_of(program: &Program) -> Result<String, String> {
    if program.colors.has_profile {
        return Err("its colours are those of an ICC profile, which Shadertoy cannot show; train without --color keep".to_owned());
    }
    let n_entries = program.grid().map_or(0, |(grid, _)| grid.n_params());
    if n_entries > MAX_ENTRIES {
        return Err(format!(
            "its grid has {n_entries} numbers and Shadertoy, which takes no file beside a shader, has room for \
             {MAX_ENTRIES}; export it to glsl or html, or train with --encoding gaussian or --preset tiny"
        ));
    }
    let places = Places { layers_in_table: false, grids_in_table: false };
    let [width, height] = program.size;
    Ok(format!(
        "{}\
         // The whole picture, in the middle of the window.\n\
         void mainImage(out vec4 fragColor, in vec2 fragCoord) {{\n    \
             vec2 size = vec2({width}.0, {height}.0);\n    \
             float scale = min(iResolution.x / size.x, iResolution.y / size.y);\n    \
             vec2 p = (fragCoord - 0.5 * iResolution.xy) / (scale * size);\n    \
             vec2 uv = vec2(0.5 + p.x, 0.5 - p.y);\n    \
             bool inside = all(equal(uv, clamp(uv, 0.0, 1.0)));\n    \
             fragColor = vec4(inside ? afterimage_shown(uv) : vec3(0.1), 1.0);\n\
         }}\n",
        shader(program, Dialect::Glsl, places, true).text
    ))
}
