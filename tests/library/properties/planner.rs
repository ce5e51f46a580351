//! What a GPU is asked for stays within what it has.

use super::cases;
use afterimage::backend::gpu::Budget;
use afterimage::backend::gpu::kernel::{FusedBlock, KernelConfig, MatmulTiling, Storage};
use afterimage::backend::gpu::ops::Layout;
use afterimage::backend::gpu::ops::record::training_step;
use afterimage::backend::gpu::plan::PicturePlace;
use afterimage::backend::{BackendError, Job, JobOptions};
use afterimage::model::{Activation, Coords, Encoding, Holdout, Loss, Mlp, Model, Optimizer, SampleSet};
use afterimage::picture::{Picture, Pixels};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

/// Widths that make small and large layers, some a power of two and some not.
fn width(max_bits: u32) -> impl Strategy<Value = usize> {
    (0..=max_bits, 0usize..1 << 20).prop_map(|(bits, rest)| (1 << bits) + rest % (1 << bits))
}

fn optimizer() -> impl Strategy<Value = Optimizer> {
    let adam = Optimizer::Adam { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.0 };
    prop_oneof![
        Just(adam),
        Just(Optimizer::Sgd { momentum: 0.0, weight_decay: 0.0 }),
        Just(Optimizer::Sgd { momentum: 0.5, weight_decay: 0.0 }),
    ]
}

prop_compose! {
    /// A job whose picture has a size but no pixels, which no planner looks at.
    fn job()(
        (width_, height) in (1u32..70_000, 1u32..10_000),
        channels in 1usize..=4,
        pixels in prop_oneof![Just(Pixels::U8(vec![])), Just(Pixels::U16(vec![])), Just(Pixels::F32(vec![]))],
        n_frequencies in of(width(13)),
        hidden_width in width(17),
        n_layers in 2usize..12,
        optimizer in optimizer(),
        batch in prop_oneof![1u32..5000, 1..=u32::MAX],
    ) -> Job {
        let encoding = n_frequencies.map_or(Encoding::IDENTITY, |m| Encoding::Fourier { frequencies: vec![[0.0; 2]; m] });
        let network = Mlp {
            input_width: encoding.output_width(),
            hidden_width,
            output_width: channels,
            n_layers,
            activation: Activation::Relu,
            output_activation: Activation::Sigmoid,
        };
        let picture = Picture { width: width_, height, channels, pixels };
        let samples = SampleSet { width: width_, height, holdout: Holdout::None, masked: None };
        Job {
            model: Model { encoding, network },
            raster: picture.raster(Coords::Center),
            samples,
            picture: Arc::new(picture),
            loss: Loss::Mse,
            optimizer,
            batch_size: batch.min(samples.len()),
            options: JobOptions::default(),
        }
    }
}

prop_compose! {
    /// From far below what WebGPU guarantees (128 MiB a binding) to all there may be.
    fn budget()(
        binding_bits in 13u32..31,
        part_bits in 0u32..31,
        batch_bits in 8u32..31,
        stream_bits in 14u32..31,
        max_groups in 64u32..=65_535,
        workgroup_bits in 14u32..18,
    ) -> Budget {
        let max_binding_bytes = 1 << binding_bits;
        Budget {
            max_binding_bytes,
            picture_part_bytes: max_binding_bytes.min(1 << part_bits),
            max_groups,
            batch_bytes: 1 << batch_bits,
            stream_bytes: 1 << stream_bits,
            workgroup_bytes: 1 << workgroup_bits,
            subgroup_size: Some(32),
            ..Budget::of(&wgpu::Limits::default())
        }
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn what_the_planner_lays_out_fits(
        job in job(),
        budget in budget(),
        storage in select(&Storage::ALL),
        fused_tiling in of(select(&[MatmulTiling::Matrix8, MatmulTiling::Matrix16])),
        fused_block in of((select(&[16, 32, 48, 64, 128]), 0_usize..1000)),
    ) {
        let fused = fused_tiling.map(|_| true);
        let fused_block = fused_block.map(|(samples, threads)| FusedBlock { samples, threads });
        let config = KernelConfig { storage, fused, fused_tiling, fused_block, ..KernelConfig::default() };
        let (layout, training) = match Layout::training(&job, budget, config) {
            Ok(planned) => planned,
            Err(BackendError::DoesNotFit(text)) => {
                prop_assert!(text.contains("--backend cpu"), "{text}");
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        for buffer in &layout.buffers {
            prop_assert!(buffer.n_words() > 0, "{} is empty", buffer.name);
            prop_assert!(buffer.size_bytes() <= budget.max_binding_bytes, "{buffer:?} of {budget:?}");
        }
        if let Some(blocking) = &layout.fused_step {
            prop_assert!(blocking.bytes() <= budget.workgroup_bytes as usize, "{blocking:?} of {budget:?}");
            prop_assert_eq!(blocking.tiling(), fused_tiling);
            prop_assert!(fused_block.is_none_or(|block| block.samples == blocking.block));
        }
        let batch = job.batch_size as usize;
        prop_assert!((1..=batch).contains(&layout.chunk));
        prop_assert!(layout.tile >= 1);
        let forward = [layout.forward.coords, layout.forward.features].into_iter().chain(layout.forward.z.clone());
        let batch_bytes: u64 = forward.chain([training.targets]).map(|id| layout.buffers[id.0].size_bytes()).sum();
        prop_assert!(batch_bytes <= budget.batch_bytes, "{batch_bytes} bytes of {budget:?}");
        let words: u64 = layout.buffers.iter().filter(|b| b.name.starts_with("picture_")).map(|b| b.n_words()).sum();
        match &training.picture {
            PicturePlace::Device { n_parts, sample_index, .. } => {
                let may_fetch = layout.fused_step.is_some() && *n_parts <= 3 && sample_index.is_none();
                prop_assert_eq!(layout.fetches_samples, may_fetch);
                prop_assert!(words * 4 >= job.picture.n_pixels() * job.picture.channels as u64);
            }
            PicturePlace::Host(ring) => {
                prop_assert!(words == 0 && ring.n_slots > 0 && !layout.fetches_samples);
                // The last part: its rows once and in order, in slots that hold them.
                let part = (batch - 1) / layout.chunk * layout.chunk..batch;
                let pieces: Vec<_> = ring.pieces(part.clone()).collect();
                let ends = pieces.iter().map(|piece| piece.rows.end);
                prop_assert!(pieces.iter().map(|piece| piece.rows.start).eq([part.start].into_iter().chain(ends.clone()).take(pieces.len())));
                prop_assert_eq!(pieces.last().map(|piece| piece.rows.end), Some(batch));
                prop_assert!(pieces.iter().all(|piece| piece.rows.len() * ring.row_words <= ring.slot_words()));
                prop_assert!(pieces.iter().all(|piece| piece.number < ring.pieces_per_step));
            }
        }
        if batch.div_ceil(layout.chunk) <= 16 {
            let plan = training_step(&job, &layout, &training, batch);
            prop_assert!(plan.dispatches.len() > batch.div_ceil(layout.chunk));
        }
    }
}
