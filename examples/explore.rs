//! scratch
use afterimage::backend::cpu::CpuTrainer;
use afterimage::backend::*;
use afterimage::model::*;
use afterimage::picture::*;
use std::sync::Arc;
use std::time::Instant;
fn get(k: &str, d: &str) -> String {
    std::env::args().find_map(|a| a.strip_prefix(&format!("{k}=")).map(String::from)).unwrap_or(d.into())
}
fn main() {
    let img = image::open(get("img", "assets/astronaut.png")).unwrap().to_rgb8();
    let (w, h) = img.dimensions();
    let picture = Arc::new(Picture { width: w, height: h, channels: 3, pixels: Pixels::U8(img.into_raw()) });
    let m: usize = get("m", "256").parse().unwrap();
    let hidden: usize = get("h", "256").parse().unwrap();
    let layers: usize = get("l", "4").parse().unwrap();
    let sigma: f32 = get("sigma", "10").parse().unwrap();
    let lr: f64 = get("lr", "1e-3").parse().unwrap();
    let batch: u32 = get("b", "16384").parse().unwrap();
    let budget: f64 = get("tf", "5.5").parse().unwrap();
    let th: usize = get("t", "1").parse().unwrap();
    let w0: f32 = get("w0", "30").parse().unwrap();
    let beta2: f64 = get("b2", "0.999").parse().unwrap();
    let encoding = Encoding::new(EncodingSpec::Gaussian { n_frequencies: m, sigma }, 0);
    let act = if get("act", "relu") == "sine" { Activation::Sine { w0 } } else { Activation::Relu };
    let out = if get("out", "sigmoid") == "sigmoid" { Activation::Sigmoid } else { Activation::Identity };
    let init = match get("init", "torch").as_str() {
        "siren" => Init::Siren,
        "he" => Init::HeNormal,
        "lecun" => Init::LecunNormal,
        "glorot" => Init::GlorotNormal,
        _ => Init::Torch,
    };
    let network = Mlp {
        input_width: 2 * m,
        hidden_width: hidden,
        output_width: 3,
        n_layers: layers,
        activation: act,
        output_activation: out,
    };
    let model = Model { encoding, network };
    let params = init.draw(&model, 0);
    let samples = SampleSet { width: w, height: h, holdout: Holdout::None };
    let raster = picture.raster(Coords::Center);
    let n = samples.len();
    let batch = batch.min(n);
    let per_epoch = n.div_ceil(batch) as u64;
    let fl_epoch = model.network.training_flop(n as usize) + 2.0 * n as f64 * model.network.n_params() as f64;
    let epochs = ((budget * 1e12 / fl_epoch) as u64).max(1);
    let total = epochs * per_epoch;
    let job = Job {
        model,
        picture: picture.clone(),
        raster,
        samples,
        loss: Loss::Mse,
        optimizer: Optimizer::Adam { beta1: 0.9, beta2, epsilon: 1e-8, weight_decay: 0.0 },
        batch_size: batch,
    };
    let mut t = CpuTrainer::new(job, &params, th).unwrap();
    let mut idx = 0;
    let t0 = Instant::now();
    let mut outb = vec![0f32; (n * 3) as usize];
    let mut p = 0.0;
    for e in 0..epochs {
        let sh = Shuffle::new(n, 0, e);
        for s in 0..per_epoch as u32 {
            let ns = batch.min(n - s * batch);
            t.step(&Step {
                index: idx,
                shuffle: sh,
                first_sample: s * batch,
                n_samples: ns,
                lr: Schedule::Cosine.lr(lr, idx, total),
            });
            idx += 1;
        }
        if e + 1 == epochs || e == epochs / 2 {
            t.predict(&raster, 0, &mut outb).unwrap();
            let mse: f64 = outb
                .iter()
                .enumerate()
                .map(|(i, &v)| ((v - picture.pixels.value(i)) as f64).powi(2))
                .sum::<f64>()
                / outb.len() as f64;
            p = -10.0 * mse.log10();
            if e == epochs / 2 {
                print!("half {p:.2} ");
            }
        }
    }
    println!(
        "{:.2} dB epochs {epochs} steps {total} {:.0}s | {}",
        p,
        t0.elapsed().as_secs_f64(),
        std::env::args().skip(1).collect::<Vec<_>>().join(" ")
    );
}
