//! Whole runs on a device: as good as the CPU's, the same to the bit when repeated, and going on
//! after the device was lost.

use crate::device;
use crate::simple_pictures;
use crate::skip::{Missing, skip};

use afterimage::backend::cpu::CpuTrainer;
use afterimage::backend::gpu::device::{Budget, Override};
use afterimage::backend::gpu::{Gpu, GpuBackend, KernelConfig, Precision};
use afterimage::backend::{Backend, BackendError};
use afterimage::config::{Config, Resolved};
use afterimage::model::TrainingState;
use afterimage::picture::{self, Picture};
use afterimage::trainer::{EpochSummary, Observer, Position, Progress, TrainError, Trainer};
use pollster::FutureExt as _;
use std::path::Path;
use std::sync::Arc;

/// 40 epochs of 5 steps on a real picture.
const CONFIG: &str = "
picture.size = '48x48'
encoding.features = 24
encoding.sigma = 6.0
network.hidden = 32
training.epochs = 40
training.batch = 500
training.optimizer = 'adam'
training.seed = 11
";

const GRID: &str = "
encoding.kind = 'hash-grid'
encoding.levels = 6
network.hidden = 32
training.epochs = 40
training.batch = 500
training.seed = 11
";

fn run(config: &str) -> (Resolved, Arc<Picture>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png");
    let picture = Arc::new(picture::resize(&picture::load(&file).expect("the asset loads"), 48, 48));
    let config: Config = toml::from_str(config).expect("a configuration");
    (config.resolve(&picture, None).expect("it can be run"), picture)
}

fn initial_state(run: &Resolved) -> TrainingState {
    let params = run.initial_params();
    let moments = vec![vec![0.0; params.len()]; run.optimizer.n_moments()];
    TrainingState { step: 0, params, moments }
}

fn on_gpu(gpu: &Arc<Gpu>, run: &Resolved, picture: &Arc<Picture>, state: &TrainingState) -> GpuBackend {
    GpuBackend::new(Arc::clone(gpu), run.job(Arc::clone(picture)), state).block_on().expect("fits")
}

fn psnr_after_training(run: &Resolved, picture: &Picture, backend: &mut dyn Backend) -> f64 {
    let mut trainer = Trainer::new(run, picture, backend, Position::default());
    let outcome = trainer.run(&mut ()).block_on().expect("the device works");
    assert_eq!((outcome.step, outcome.complete), (200, true));
    trainer.evaluate(false).block_on().expect("the device works").train.psnr()
}

#[test]
fn cpu_and_gpu_reach_the_same_psnr() {
    reach_the_same_psnr(CONFIG);
}

#[test]
fn cpu_and_gpu_reach_the_same_psnr_with_a_hash_grid() {
    reach_the_same_psnr(GRID);
}

#[test]
fn mixed_precision_reaches_the_psnr_of_f32() {
    let Some(gpu) = device::open(false) else { return };
    let Ok(mixed) = KernelConfig::choose(&gpu, Precision::Mixed) else {
        skip(Missing::Other(&format!("{} has no 16-bit floats in shaders", gpu.info.name)));
        return;
    };
    let sine = CONFIG.replace("hidden = 32", "hidden = 32\nnetwork.activation = 'sine'");
    for (config, fused) in [(CONFIG, Override::Auto), (&sine, Override::Never), (GRID, Override::Auto)] {
        let (run, picture) = run(config);
        let state = initial_state(&run);
        let reached = |config| {
            let how = (Budget { fused, ..gpu.budget() }, config);
            let backend =
                GpuBackend::with(Arc::clone(&gpu), run.job(picture.clone()), &state, how).block_on();
            psnr_after_training(&run, &picture, &mut backend.expect("fits"))
        };
        let (f32s, mixed) = (reached(KernelConfig::default()), reached(mixed.clone()));
        println!("after 200 steps: {f32s:.4} dB in f32, {mixed:.4} dB in mixed precision");
        assert!((f32s - mixed).abs() < 0.2, "{f32s} dB in f32, {mixed} dB in mixed precision");
    }
}

fn reach_the_same_psnr(config: &str) {
    let Some(gpu) = device::open(false) else { return };
    let (run, picture) = run(config);
    let state = initial_state(&run);
    let on_cpu = &mut CpuTrainer::new(run.job(picture.clone()), &state.params, 2).expect("threads start");
    let cpu = psnr_after_training(&run, &picture, on_cpu);
    let gpu = psnr_after_training(&run, &picture, &mut on_gpu(&gpu, &run, &picture, &state));
    println!("after 200 steps: {cpu:.4} dB on the CPU, {gpu:.4} dB on the GPU");
    // The untrained network has 9 dB.
    assert!(cpu > 15.0, "{cpu} dB: nothing was learned");
    assert!((cpu - gpu).abs() < 0.05, "{cpu} dB on the CPU, {gpu} dB on the GPU");
}

/// Words in colour on white: what a sigmoid after ReLUs on a grid saturates on.
const COLLAPSE: &str = "
encoding.kind = 'hash-grid'
network.activation = 'relu'
network.output = 'sigmoid'
training.epochs = 20
training.schedule = 'constant'
training.lr = 3e-2
";

#[test]
fn a_collapsed_run_restarts_on_both_backends() {
    let Some(gpu) = device::open(false) else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let all = simple_pictures::all(48, 1);
    let words = all.iter().find(|simple| simple.name == "coloured-words").expect("it is there");
    words.save(&dir.path().join("words.png"));
    let picture = Arc::new(picture::load(&dir.path().join("words.png")).expect("the picture loads"));
    let config: Config = toml::from_str(COLLAPSE).expect("a configuration");
    let run = config.resolve(&picture, None).expect("it can be run");
    let state = initial_state(&run);
    let fresh_starts = |backend: &mut dyn Backend| {
        let mut trainer = Trainer::new(&run, &picture, backend, Position::default());
        let outcome = trainer.run(&mut ()).block_on().expect("the device works");
        let psnr = trainer.evaluate(false).block_on().expect("the device works").train.psnr();
        assert!(psnr > 25.0, "{psnr} dB: a flat picture has 20");
        outcome.position.fresh_starts
    };
    let mut on_cpu = CpuTrainer::new(run.job(picture.clone()), &state.params, 2).expect("threads start");
    assert_eq!(fresh_starts(&mut on_cpu), 1, "on the CPU");
    assert_eq!(fresh_starts(&mut on_gpu(&gpu, &run, &picture, &state)), 1, "on the GPU");
}

/// Keeps every second epoch, and destroys the device in the seventh.
struct DeviceKiller<'a> {
    gpu: &'a Gpu,
}

impl Observer for DeviceKiller<'_> {
    type Error = TrainError;

    fn epoch(&mut self, summary: &EpochSummary, _: Option<Picture>) -> Result<(), TrainError> {
        if summary.epoch == 7 {
            self.gpu.device.destroy();
        }
        Ok(())
    }
    fn progress(&mut self, _: &Progress) {}
    fn stop_requested(&self) -> bool {
        false
    }
    fn checkpoint_due(&self, position: &Position) -> bool {
        position.epochs_done.is_multiple_of(2) && position.steps_into_epoch == 0
    }
}

#[test]
fn a_run_goes_on_after_its_device_was_lost() {
    let (Some(first), Some(second)) = (device::open(false), device::open(false)) else { return };
    let (run, picture) = run(&CONFIG.replace("epochs = 40", "epochs = 12"));
    let state = initial_state(&run);

    let mut undisturbed = on_gpu(&second, &run, &picture, &state);
    Trainer::new(&run, &picture, &mut undisturbed, Position::default())
        .run(&mut ())
        .block_on()
        .expect("the device works");
    let expected = undisturbed.state().block_on().expect("the device works");

    let mut backend = on_gpu(&first, &run, &picture, &state);
    let mut trainer = Trainer::new(&run, &picture, &mut backend, Position::default());
    let error =
        trainer.run(&mut DeviceKiller { gpu: &first }).block_on().expect_err("the device was destroyed");
    assert!(matches!(error, TrainError::Backend(BackendError::DeviceLost(_))), "{error}");
    let last = trainer.into_last_checkpoint().expect("a state was kept");
    assert_eq!(last.position.epochs_done, 6, "the last state kept before the loss");

    let mut backend = on_gpu(&second, &run, &picture, &state);
    backend.set_state(&last.state).block_on().expect("the device works");
    Trainer::new(&run, &picture, &mut backend, last.position)
        .run(&mut ())
        .block_on()
        .expect("the device works");
    assert_eq!(backend.state().block_on().expect("the device works"), expected);
}
