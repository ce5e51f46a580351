//! scratch
use afterimage::backend::cpu::CpuTrainer;
use afterimage::backend::*;
use afterimage::model::*;
use afterimage::picture::*;
use std::sync::Arc;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let side: u32 = a[1].parse().unwrap();
    let batch: u32 = a[2].parse().unwrap();
    let hidden: usize = a[3].parse().unwrap();
    let m: usize = a[4].parse().unwrap();
    let th: usize = a[5].parse().unwrap();
    let sine = a.len() > 6;
    let n = (side * side * 3) as usize;
    let picture = Arc::new(Picture {
        width: side,
        height: side,
        channels: 3,
        pixels: Pixels::U8((0..n).map(|i| (i * 7919 % 251) as u8).collect()),
    });
    let encoding = Encoding::new(EncodingSpec::Gaussian { n_frequencies: m, sigma: 10.0 }, 0);
    let act = if sine { Activation::Sine { w0: 30.0 } } else { Activation::Relu };
    let network = Mlp {
        input_width: 2 * m,
        hidden_width: hidden,
        output_width: 3,
        n_layers: 4,
        activation: act,
        output_activation: Activation::Sigmoid,
    };
    let model = Model { encoding, network };
    let params = Init::Torch.draw(&model, 0);
    let samples = SampleSet { width: side, height: side, holdout: Holdout::None };
    let raster = picture.raster(Coords::Center);
    let flop = model.network.training_flop(batch as usize);
    let job = Job {
        model,
        picture,
        raster,
        samples,
        loss: Loss::Mse,
        optimizer: Optimizer::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 },
        batch_size: batch,
    };
    let mut t = CpuTrainer::new(job, &params, th).unwrap();
    let mut best = f64::MAX;
    for i in 0..12 {
        let s = Step {
            index: i,
            shuffle: Shuffle::new(side * side, 0, i),
            first_sample: 0,
            n_samples: batch,
            lr: 1e-3,
        };
        let t0 = Instant::now();
        let l = t.step(&s);
        let e = t0.elapsed().as_secs_f64();
        best = best.min(e);
        if i % 4 == 3 {
            println!("{i} loss {l:.5} {:.2} ms {:.1} GF/s", e * 1e3, flop / e / 1e9);
        }
    }
    println!("best {:.1} GF/s", flop / best / 1e9);
    // ceiling
    let (mm, k, nn) = (16384usize, 512usize, 256usize);
    let x = vec![0.5f32; mm * k];
    let w = vec![0.25f32; k * nn];
    let mut y = vec![0f32; mm * nn];
    let mut b = f64::MAX;
    for _ in 0..8 {
        let t0 = Instant::now();
        unsafe {
            gemm::gemm(
                mm,
                nn,
                k,
                y.as_mut_ptr(),
                1,
                nn as isize,
                false,
                x.as_ptr(),
                1,
                k as isize,
                w.as_ptr(),
                1,
                nn as isize,
                0.0,
                1.0,
                false,
                false,
                false,
                if th == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(0) },
            );
        }
        b = b.min(t0.elapsed().as_secs_f64());
    }
    println!("gemm ceiling {:.1}", 2.0 * (mm * k * nn) as f64 / b / 1e9);
}
