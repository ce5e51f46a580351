//! Compares kernels, and whole plans dispatch by dispatch, with the CPU's f64.

use super::device::Gpu;
use super::halves;
use super::kernel::{Call, Case, Expected, ExpectedValues, Kernel, StepParams};
use super::ops::grid::fixed_point;
use super::plan::{BufferDecl, BufferId, Dispatch, Plan, Role};
use super::readback::{read_buffers, write_words};
use super::session::{Prepared, Session};
use super::variants::{HALF_FLUSH, HALF_MAX, HALF_ROUNDING, Storage};
use super::{GpuBackend, step_params};
use crate::backend::{Backend, BackendError};
use crate::model::Step;
use std::sync::Arc;

/// The worst value of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// Its error over its tolerance: 1 or less passes.
    pub share: f64,
    /// Where it is, and what was expected.
    pub place: String,
}

impl Worst {
    fn none() -> Self {
        Self { share: 0.0, place: String::new() }
    }

    /// Whether every value is within its tolerance.
    pub fn passes(&self) -> bool {
        self.share <= 1.0
    }

    /// The worse of two.
    pub fn max(self, other: Self) -> Self {
        if other.share > self.share { other } else { self }
    }
}

/// Compares what a dispatch left in its buffers with its reference.
///
/// Words that the reference does not mention must be as they were before.
pub fn compare(call: &Call, after: &[Vec<u32>]) -> Worst {
    let expected = (call.kernel.def.reference)(call);
    let mut worst = Worst::none();
    // In halves of words, the smallest elements there are.
    let mut untouched: Vec<Vec<bool>> = after.iter().map(|words| vec![true; 2 * words.len()]).collect();
    for range in &expected {
        let name = call.kernel.def.bindings[range.binding].name;
        let storage = call.kernel.storage_of(range.binding);
        let n = compare_range(range, &after[range.binding], (name, storage), &mut worst);
        let halves = storage.size_bytes() / 2;
        untouched[range.binding][halves * range.start..halves * (range.start + n)].fill(false);
    }
    for (binding, untouched) in untouched.iter().enumerate() {
        let changed = |&half: &usize| {
            untouched[half]
                && halves::bits(&call.buffers[binding], half) != halves::bits(&after[binding], half)
        };
        if let Some(half) = (0..untouched.len()).find(changed) {
            let at = 2 * half / call.kernel.storage_of(binding).size_bytes();
            let place = format!("{}[{at}] changed and must not", call.kernel.def.bindings[binding].name);
            worst = worst.max(Worst { share: f64::INFINITY, place });
        }
    }
    worst
}

/// Compares `range` of a binding's words; how many of its elements that were.
fn compare_range(
    range: &Expected,
    words: &[u32],
    (name, storage): (&str, Storage),
    worst: &mut Worst,
) -> usize {
    let got = words.get(range.start..).unwrap_or(&[]);
    let mut note = |index: usize, share: f64, text: &dyn Fn() -> String| {
        if share > worst.share {
            *worst = Worst { share, place: format!("{name}[{}] {}", range.start + index, text()) };
        }
    };
    match &range.values {
        ExpectedValues::Close { values, tolerances } if storage == Storage::F16 => {
            // What is right to its tolerance is then rounded to f16, or clipped to its range.
            let clipped: Vec<f64> = values.iter().map(|v| v.clamp(-HALF_MAX, HALF_MAX)).collect();
            let rounded = |(v, t): (&f64, &f64)| t + (v.abs() + t) * HALF_ROUNDING + HALF_FLUSH;
            let tolerances: Vec<f64> = clipped.iter().zip(tolerances).map(rounded).collect();
            let got = (range.start..range.start + values.len()).map(|i| halves::get(words, i).into());
            compare_numbers(&clipped, &tolerances, got, name, &mut note);
            values.len()
        }
        ExpectedValues::Bits(bits) => {
            for (index, (&want, &got)) in bits.iter().zip(got).enumerate() {
                let share = if want == got { 0.0 } else { f64::INFINITY };
                note(index, share, &|| format!("is {got:#x}, not {want:#x}"));
            }
            bits.len()
        }
        ExpectedValues::Close { values, tolerances } => {
            let got = got.iter().map(|&word| f64::from(f32::from_bits(word)));
            compare_numbers(values, tolerances, got, name, &mut note);
            values.len()
        }
        ExpectedValues::FixedPoint { values, tolerances } => {
            compare_numbers(values, tolerances, fixed_point(got).into_iter(), name, &mut note);
            2 * values.len()
        }
    }
}

fn compare_numbers(
    values: &[f64],
    tolerances: &[f64],
    got: impl ExactSizeIterator<Item = f64>,
    name: &str,
    note: &mut impl FnMut(usize, f64, &dyn Fn() -> String),
) {
    assert_eq!(values.len(), tolerances.len(), "a tolerance for each value of {name}");
    assert!(got.len() >= values.len(), "{name} is too short for its reference");
    for (index, ((&want, &tolerance), got)) in values.iter().zip(tolerances).zip(got).enumerate() {
        let error = (got - want).abs();
        // A NaN anywhere, in the reference too, never passes.
        let share = match error / tolerance {
            _ if error == 0.0 => 0.0,
            share if share.is_nan() => f64::INFINITY,
            share => share,
        };
        note(index, share, &|| format!("is {got:e}, not {want:e} within {tolerance:.1e}"));
    }
}

/// Words of buffers that a case of the self-test at start-up may have: milliseconds on any device.
const SELF_TEST_WORDS: usize = 20_000;

/// Runs one quick case of each kernel in `used` that has not passed on this device yet, and compares it.
///
/// # Errors
/// [`BackendError::WrongResults`] names the first kernel that fails; any other when the device fails.
pub fn self_test<'a>(gpu: &Arc<Gpu>, used: impl IntoIterator<Item = &'a Kernel>) -> Result<(), BackendError> {
    for kernel in used {
        if gpu.has_passed(kernel) {
            continue;
        }
        let words = |case: &Case| case.buffers.iter().map(Vec::len).sum::<usize>();
        let cases = kernel.cases();
        let quick = cases.iter().filter(|case| words(case) <= SELF_TEST_WORDS).max_by_key(|case| words(case));
        let case = quick.or(cases.first()).expect("every kernel has cases");
        let worst = run_case(gpu, kernel, case)?;
        log::debug!("self-test: {} at {:.3} of its tolerance", kernel.name(), worst.share);
        if !worst.passes() {
            return Err(BackendError::WrongResults {
                kernel: kernel.name(),
                device: gpu.info.name.clone(),
                place: worst.place,
            });
        }
        gpu.passed(kernel);
    }
    Ok(())
}

/// Runs one case of a kernel and compares it.
///
/// # Errors
/// When the device fails.
pub fn run_case(gpu: &Arc<Gpu>, kernel: &Kernel, case: &Case) -> Result<Worst, BackendError> {
    let decl = |(n, words): (usize, &Vec<u32>)| BufferDecl {
        name: kernel.def.bindings[n].name.to_owned(),
        shape: vec![words.len()],
        role: Role::Scratch,
    };
    let decls = case.buffers.iter().enumerate().map(decl).collect();
    let mut session = Session::new(Arc::clone(gpu), decls)?;
    let ids: Vec<_> = (0..case.buffers.len()).map(BufferId).collect();
    for (&id, words) in ids.iter().zip(&case.buffers) {
        write_words(gpu, session.buffer(id), 0, words)?;
    }
    let dispatch = Dispatch {
        kernel: kernel.clone(),
        params: case.params.clone(),
        buffers: ids.clone(),
        grid: case.grid,
        cost: 0.0,
        piece: None,
    };
    let prepared = session.prepare(&Plan { dispatches: vec![dispatch] })?;
    // A slot other than the first, so that the dynamic offset counts.
    session.write_steps(&[StepParams::default(), case.step]);
    run_dispatch(&session, &prepared, 0, 1)?;
    let after = read_all(&session, &ids)?;
    Ok(compare(&Call { kernel, params: &case.params, step: case.step, buffers: &case.buffers }, &after))
}

fn run_dispatch(session: &Session, plan: &Prepared, index: usize, slot: usize) -> Result<(), BackendError> {
    let mut encoder = session.gpu.device.create_command_encoder(&Default::default());
    {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        plan.encode(index, session.step_offset(slot), &session.step_group(), &mut pass);
    }
    let submission = session.gpu.queue.submit([encoder.finish()]);
    session.gpu.wait(Some(submission))
}

fn read_all(session: &Session, ids: &[BufferId]) -> Result<Vec<Vec<u32>>, BackendError> {
    let buffers: Vec<_> = ids.iter().map(|&id| (session.buffer(id), session.decl(id).n_words())).collect();
    read_buffers(&session.gpu, &buffers)
}

/// One dispatch of a lockstep.
#[derive(Clone, Debug)]
pub struct LockstepEntry {
    /// Step number.
    pub step: u64,
    /// Number within the plan.
    pub dispatch: usize,
    /// The kernel.
    pub kernel: String,
    /// The comparison.
    pub worst: Worst,
}

impl GpuBackend {
    /// Runs `steps` one dispatch at a time. Before each, its buffers are copied to the host; the
    /// reference computes from them in f64 what the plan says; after it the two are compared.
    ///
    /// # Errors
    /// When the device fails.
    pub fn lockstep(&mut self, steps: &[Step]) -> Result<Vec<LockstepEntry>, BackendError> {
        self.finish()?;
        let mut entries = Vec::new();
        for step in steps {
            let index = self.prepare(step.n_samples)?;
            self.spread(step)?;
            let params = step_params(&self.job, step);
            self.session.write_steps(&[params]);
            let (_, plan, prepared) = &self.plans[index];
            for (number, dispatch) in plan.dispatches.iter().enumerate() {
                if let Some(stream) = &mut self.stream {
                    stream.send_for(&self.session, dispatch, step);
                }
                let before = read_all(&self.session, &dispatch.buffers)?;
                run_dispatch(&self.session, prepared, number, 0)?;
                let after = read_all(&self.session, &dispatch.buffers)?;
                let (kernel, bytes) = (&dispatch.kernel, &dispatch.params);
                let call = Call { kernel, params: bytes, step: params, buffers: &before };
                let worst = compare(&call, &after);
                entries.push(LockstepEntry {
                    step: step.index,
                    dispatch: number,
                    kernel: kernel.name(),
                    worst,
                });
            }
            self.steps_done = step.index + 1;
        }
        self.executor.skip(steps.len() as u32);
        Ok(entries)
    }
}
