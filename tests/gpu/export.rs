//! Exported WGSL on a GPU.

use crate::device;
use crate::exported::{SIZE, Sample, TOLERANCE, expected, samples, uvs, worst};

use afterimage::backend::gpu::Gpu;
use afterimage::export::{Exported, Extras, Precision, Target, export};
use afterimage::names::Named;
use wgpu::util::{BufferInitDescriptor, DeviceExt};
use wgpu::{BufferUsages, PollType};

/// Calls `afterimage` for each point: what comes of it is (points, 4).
fn run(gpu: &Gpu, shader: &Exported, has_alpha: bool, points: &[[f32; 2]]) -> Vec<f32> {
    let value = if has_alpha { "afterimage(points[i])" } else { "vec4f(afterimage(points[i]), 0.0)" };
    let text = format!(
        "{}\n@group(0) @binding(1) var<storage, read> points: array<vec2f>;\n\
         @group(0) @binding(2) var<storage, read_write> colors: array<vec4f>;\n\
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {{\n\
         let i = min(id.x, arrayLength(&points) - 1u);\ncolors[i] = {value};\n}}\n",
        String::from_utf8_lossy(&shader.file)
    );
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let buffer = |contents: &[u8], usage| {
        gpu.device.create_buffer_init(&BufferInitDescriptor { label: None, contents, usage })
    };
    let size = points.len() * 16;
    let table = shader.table.as_ref().map(|table| buffer(table, BufferUsages::STORAGE));
    let given = buffer(bytemuck::cast_slice(points), BufferUsages::STORAGE);
    let colors = buffer(&vec![0; size], BufferUsages::STORAGE | BufferUsages::COPY_SRC);
    let back = buffer(&vec![0; size], BufferUsages::MAP_READ | BufferUsages::COPY_DST);
    let bound = [(0, table.as_ref()), (1, Some(&given)), (2, Some(&colors))];
    let bound = bound.into_iter().filter_map(|(binding, buffer)| Some((binding, buffer?)));
    let entries: Vec<_> = bound
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
        .collect();
    let layout = pipeline.get_bind_group_layout(0);
    let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &layout,
        entries: &entries,
    });
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups((points.len() as u32).div_ceil(64), 1, 1);
    }
    encoder.copy_buffer_to_buffer(&colors, 0, &back, 0, size as u64);
    gpu.queue.submit([encoder.finish()]);
    back.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("mapped"));
    gpu.device.poll(PollType::wait_indefinitely()).expect("computed");
    let view = back.get_mapped_range(..).expect("mapped");
    bytemuck::cast_slice(&view).to_vec()
}

fn check(gpu: &Gpu, sample: &Sample, precision: Precision) {
    let (program, expected) = expected(sample, precision, SIZE);
    let shader = export(&program, Target::Wgsl, &Extras::default()).expect("a shader");
    let channels = sample.model.channels();
    let found = run(gpu, &shader, channels.is_multiple_of(2), &uvs(SIZE));
    let of_pixel = |pixel: &[f32; 4]| match channels {
        1 => vec![pixel[0]],
        2 => vec![pixel[0], pixel[3]],
        n => pixel[..n].to_vec(),
    };
    let found: Vec<f32> = found.as_chunks().0.iter().flat_map(of_pixel).collect();
    let worst = worst(&found, &expected);
    // Decimals that name a half are up to half its last bit off, 2^-12: in 3 layers of sum|a||b| at most 4.
    let tolerance = if precision == Precision::F16 { 3.0 * 4.0 / 4096.0 } else { TOLERANCE };
    assert!(worst <= tolerance, "{} at {precision}: {worst:e}", sample.name);
}

#[test]
fn exported_wgsl_computes_what_render_does() {
    let Some(gpu) = device::open(true) else { return };
    // A software driver takes a second to compile each: grids in every precision, and of the others each in one.
    for (i, sample) in samples().iter().enumerate() {
        let all = Precision::ALL.iter().enumerate();
        let has_grid = sample.name.contains("grid");
        for (_, &precision) in all.filter(|(place, _)| has_grid || i % Precision::ALL.len() == *place) {
            check(&gpu, sample, precision);
        }
    }
}
