//! Writes the simple pictures that the tests train on: `cargo run --release --example simple_pictures -- FOLDER [SIDE]`.

#[path = "../tests/common/simple_pictures.rs"]
mod simple_pictures;

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().ok_or("give a folder to write to")?);
    let side: u32 = args.next().map_or(Ok(128), |side| side.parse())?;
    std::fs::create_dir_all(&folder)?;
    for simple in simple_pictures::all(side, 1) {
        let opaque = simple.image.pixels().all(|pixel| pixel.0[3] == 255);
        let path = folder.join(simple.name).with_extension("png");
        match opaque {
            true => image::DynamicImage::from(simple.image).to_rgb8().save(path)?,
            false => simple.image.save(path)?,
        }
    }
    Ok(())
}
