//! Writes the simple pictures of the tests: `cargo run --release --example simple_pictures -- FOLDER [SIDE]`.

#[path = "../tests/common/simple_pictures.rs"]
mod simple_pictures;

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("give a folder to write to")?);
    let side: u32 = args.next().map_or(Ok(128), |side| side.parse())?;
    std::fs::create_dir_all(&folder)?;
    for simple in simple_pictures::all(side, 1) {
        simple.save(&folder.join(simple.name).with_extension("png"));
    }
    Ok(())
}
