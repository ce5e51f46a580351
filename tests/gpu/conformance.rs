//! Every kernel against its f64 function, over the kernel table.

use crate::device;
use crate::skip::{Missing, skip};

use afterimage::backend::gpu::ops::kernels;
use afterimage::backend::gpu::prove::run_case;
use pollster::FutureExt as _;
use std::collections::BTreeMap;

fn conformance(checked_shaders: bool) {
    let Some(gpu) = device::open(checked_shaders) else { return };
    println!("{} ({})", gpu.info.name, gpu.driver());
    let mut failures = Vec::new();
    let mut untried = BTreeMap::<String, Vec<String>>::new();
    for kernel in kernels() {
        if let Some(lacks) = kernel.lacks_on(&gpu) {
            untried.entry(lacks).or_default().push(kernel.name());
            continue;
        }
        for case in kernel.cases() {
            let worst = run_case(&gpu, &kernel, &case)
                .block_on()
                .unwrap_or_else(|e| panic!("{}: {e}", kernel.name()));
            let line = format!("{:32} {:45} {:6.3} {}", kernel.name(), case.label, worst.share, worst.place);
            println!("{line}");
            if !worst.passes() {
                failures.push(line);
            }
        }
    }
    for (lacks, kernels) in untried {
        skip(Missing::Other(&format!("{} lacks {lacks} for {}", gpu.info.name, kernels.join(", "))));
    }
    assert!(failures.is_empty(), "error as a share of tolerance:\n{}", failures.join("\n"));
}

#[test]
fn kernels_agree_with_f64() {
    conformance(true);
}

#[test]
fn kernels_without_bounds_checks_agree_with_f64() {
    conformance(false);
}
