//! Trains on pixels in memory and reads the colours back as numbers, without any files.
//!
//!     cargo run --release --example own_buffer

use afterimage::backend;
use afterimage::block_on;
use afterimage::config::Config;
use afterimage::picture::{Picture, Pixels};
use afterimage::trainer::{Position, Trainer};
use std::sync::Arc;

const SIDE: u32 = 48;

/// A disc on a gradient: interleaved RGB, row by row from the top.
fn pixels() -> Vec<u8> {
    let centre = SIDE as f32 / 2.0;
    let mut pixels = Vec::with_capacity((SIDE * SIDE * 3) as usize);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let inside = (x as f32 - centre).hypot(y as f32 - centre) < centre / 2.0;
            let ramp = (255 * x / (SIDE - 1)) as u8;
            pixels.extend(if inside { [220, 60, 40] } else { [ramp, ramp, 128] });
        }
    }
    pixels
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 16-bit pixels, linear floats and 1 to 4 channels work too.
    let picture = Arc::new(Picture { width: SIDE, height: SIDE, channels: 3, pixels: Pixels::U8(pixels()) });
    let config: Config = toml::from_str("training.epochs = 40\ndevice.backend = 'cpu'")?;
    let run = config.resolve(&picture, None)?;
    let job = run.job(Arc::clone(&picture));
    let mut backend = block_on(backend::open(&run.device, job, || run.initial_params()))?.backend;
    let mut trainer = Trainer::new(&run, &picture, backend.as_mut(), Position::default());
    block_on(trainer.run(&mut ()))?;

    // Values in 0..=1 (of linear floats `run.transfer` makes the picture's), interleaved as in the picture.
    let mut colours = vec![0.0_f32; (SIDE * SIDE * 3) as usize];
    block_on(backend.predict(&run.raster, 0, &mut colours))?;
    let errors = colours.iter().enumerate().map(|(i, value)| (value - picture.pixels.value(i)).abs());
    let mean = errors.sum::<f32>() / colours.len() as f32;
    println!("the mean error is {:.2} of 255", 255.0 * mean);
    let middle = ((SIDE / 2 * SIDE + SIDE / 2) * 3) as usize;
    println!("the middle of the disc: {:?}", &colours[middle..middle + 3]);

    assert!(mean < 0.05, "it learned too little");
    Ok(())
}
