//! Trains on a picture and renders it at four times its size.
//!
//!     cargo run --release --example train_and_render [PICTURE [OUT.png]]

use afterimage::backend;
use afterimage::block_on;
use afterimage::config::Config;
use afterimage::model::Raster;
use afterimage::picture::{self, PictureBuilder};
use afterimage::trainer::{Position, Trainer};
use std::path::PathBuf;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let path = args.next().unwrap_or_else(|| "assets/astronaut.png".into());
    let out = args.next().unwrap_or_else(|| std::env::temp_dir().join("afterimage-large.png"));

    // Small, so that training takes a moment.
    let picture = Arc::new(picture::resize(&picture::load(&path)?, 64, 64));

    // The settings of a `config.toml`. Resolving them for a picture fills in the defaults.
    // `device.backend = 'auto'` uses a GPU if there is one.
    let config: Config = toml::from_str("training.epochs = 40\ndevice.backend = 'cpu'")?;
    let run = config.resolve(&picture, None)?;

    // A backend holds the weights, on a device or in memory. The trainer tells it which steps to take. What may have to
    // wait for a device is a future; a program that waits itself makes a call of it.
    let job = run.job(Arc::clone(&picture));
    let mut backend = block_on(backend::open(&run.device, job, || run.initial_params()))?.backend;
    let mut trainer = Trainer::new(&run, &picture, backend.as_mut(), Position::default());
    block_on(trainer.run(&mut ()))?;
    let psnr = block_on(trainer.evaluate(false))?.train.psnr();
    println!("{psnr:.1} dB after {} epochs", run.epochs);

    // The network is a function of the plane and can be sampled on any raster.
    let raster = Raster::new(4 * picture.width, 4 * picture.height, run.coords);
    let mut colours = vec![0.0; raster.n_pixels() as usize * picture.channels];
    block_on(backend.predict(&raster, 0, &mut colours))?;
    // Pictures in linear light are trained on in another form.
    run.transfer.decode_pixels(&mut colours, picture.channels);
    let mut large = PictureBuilder::new(raster.width, raster.height, picture.channels, picture.depth());
    large.push(&colours);
    picture::save_png(&large.finish(), &out)?;
    println!("{}: {}x{}", out.display(), raster.width, raster.height);

    assert!(psnr > 25.0, "it learned too little");
    Ok(())
}
