//! Buffers, pipelines and bind groups: everything created once, before the loop.

use crate::backend::gpu::device::{Gpu, Pipeline, Shader, new_buffer};
use crate::backend::gpu::kernel::{Access, Kernel, StepParams};
use crate::backend::gpu::plan::{BufferDecl, BufferId, Dispatch, Piece, Plan, RING_SLOTS};
use crate::backend::{BackendError, Result};
#[cfg(not(target_family = "wasm"))]
use rayon::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// A device with the buffers of a layout and the pipelines created so far.
#[derive(Debug)]
pub(crate) struct Resources {
    pub gpu: Arc<Gpu>,
    decls: Vec<BufferDecl>,
    buffers: Vec<wgpu::Buffer>,
    pipelines: Vec<(Kernel, Arc<Pipeline>)>,
    /// Time spent compiling kernels so far.
    pub(crate) compiling: Duration,
    step_layout: wgpu::BindGroupLayout,
    step_group: wgpu::BindGroup,
    step_buffer: wgpu::Buffer,
    step_pitch: u32,
}

/// A plan ready to be encoded.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) dispatches: Vec<PreparedDispatch>,
    /// The parameter blocks of all dispatches, `pitch` bytes apart.
    params: wgpu::Buffer,
    pitch: usize,
}

#[derive(Debug)]
pub(crate) struct PreparedDispatch {
    pipeline: Arc<Pipeline>,
    group: wgpu::BindGroup,
    uses_step: bool,
    grid: [u32; 3],
    pub(crate) cost: f64,
    pub(crate) piece: Option<Piece>,
}

impl Prepared {
    pub(crate) fn total_cost(&self) -> f64 {
        self.dispatches.iter().map(|d| d.cost).sum()
    }

    /// Sets the parameters of dispatch `index` for later submissions.
    pub(super) fn write_params(&self, index: usize, resources: &Resources, params: &impl bytemuck::Pod) {
        let offset = (index * self.pitch) as u64;
        resources.gpu.queue.write_buffer(&self.params, offset, bytemuck::bytes_of(params));
    }

    /// Encodes dispatch `index` with the step's parameters in `slot`.
    pub(crate) fn encode(
        &self,
        index: usize,
        slot: usize,
        resources: &Resources,
        pass: &mut wgpu::ComputePass,
    ) {
        let dispatch = &self.dispatches[index];
        pass.set_pipeline(&dispatch.pipeline.pipeline);
        pass.set_bind_group(0, &dispatch.group, &[]);
        if dispatch.uses_step {
            pass.set_bind_group(1, &resources.step_group, &[resources.step_pitch * slot as u32]);
        }
        let [x, y, z] = dispatch.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

const USAGE: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST).union(wgpu::BufferUsages::COPY_SRC);

const UNIFORM: wgpu::BufferUsages = wgpu::BufferUsages::UNIFORM.union(wgpu::BufferUsages::COPY_DST);

fn entry(binding: u32, ty: wgpu::BufferBindingType, dynamic: bool) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: dynamic, min_binding_size: None },
        count: None,
    }
}

/// A range of a uniform buffer, rounded up to whole vectors.
fn uniform_range(buffer: &wgpu::Buffer, offset: u64, size: usize) -> wgpu::BindingResource<'_> {
    let size = wgpu::BufferSize::new(size.next_multiple_of(16) as u64);
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
}

impl Resources {
    pub(crate) async fn new(gpu: Arc<Gpu>, decls: Vec<BufferDecl>) -> Result<Self> {
        let step_pitch = gpu.limits.min_uniform_buffer_offset_alignment.max(256);
        let made = gpu.scoped(|device| {
            // Whole vectors, since products read some buffers as such.
            let size = |d: &BufferDecl| d.size_bytes().next_multiple_of(16).max(16);
            let make = |d: &BufferDecl| new_buffer(device, &d.name, size(d), USAGE);
            let buffers: Vec<_> = decls.iter().map(make).collect();
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some("step"),
                entries: &[entry(0, wgpu::BufferBindingType::Uniform, true)],
            });
            let step_buffer = new_buffer(device, "step", u64::from(step_pitch) * RING_SLOTS as u64, UNIFORM);
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("step"),
                layout: &layout,
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: uniform_range(&step_buffer, 0, size_of::<StepParams>()),
                }],
            });
            (buffers, layout, step_buffer, group)
        });
        let (buffers, step_layout, step_buffer, step_group) = made.await?;
        Ok(Self {
            gpu,
            decls,
            buffers,
            pipelines: Vec::new(),
            compiling: Duration::ZERO,
            step_layout,
            step_group,
            step_buffer,
            step_pitch,
        })
    }

    pub(crate) fn buffer(&self, id: BufferId) -> &wgpu::Buffer {
        &self.buffers[id.0]
    }

    pub(crate) fn decl(&self, id: BufferId) -> &BufferDecl {
        &self.decls[id.0]
    }

    /// Sets the per-step parameters from slot 0 on, for later submissions.
    pub(crate) fn write_steps(&self, steps: &[StepParams]) {
        let mut bytes = vec![0; steps.len() * self.step_pitch as usize];
        for (slot, step) in bytes.chunks_exact_mut(self.step_pitch as usize).zip(steps) {
            slot[..size_of::<StepParams>()].copy_from_slice(bytemuck::bytes_of(step));
        }
        self.gpu.queue.write_buffer(&self.step_buffer, 0, &bytes);
    }

    /// Compiles the kernels of `plan` and creates its parameters and bind groups.
    pub(crate) async fn prepare(&mut self, plan: &Plan) -> Result<Prepared> {
        let largest = plan.dispatches.iter().map(|d| d.params.len()).max().unwrap_or(0);
        let alignment = self.gpu.limits.min_uniform_buffer_offset_alignment as usize;
        let pitch = largest.next_multiple_of(16).next_multiple_of(alignment);
        let mut bytes = vec![0; (pitch * plan.dispatches.len()).max(16)];
        for (slot, dispatch) in bytes.chunks_exact_mut(pitch.max(1)).zip(&plan.dispatches) {
            slot[..dispatch.params.len()].copy_from_slice(&dispatch.params);
        }
        self.compile_kernels(plan).await?;
        let made = self.gpu.scoped(|device| {
            let params = new_buffer(device, "params", bytes.len() as u64, UNIFORM);
            let dispatches = plan.dispatches.iter().enumerate();
            let dispatches =
                dispatches.map(|(index, dispatch)| self.bind(dispatch, &params, (index * pitch) as u64));
            (dispatches.collect(), params)
        });
        let (dispatches, params) = made.await?;
        self.gpu.queue.write_buffer(&params, 0, &bytes);
        Ok(Prepared { dispatches, params, pitch })
    }

    fn bind(&self, dispatch: &Dispatch, params: &wgpu::Buffer, offset: u64) -> PreparedDispatch {
        let compiled = self.pipelines.iter().find(|(kernel, _)| *kernel == dispatch.kernel);
        let pipeline = Arc::clone(&compiled.expect("compiled before").1);
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: uniform_range(params, offset, dispatch.params.len()),
        }];
        entries.extend(dispatch.buffers.iter().enumerate().map(|(n, &id)| wgpu::BindGroupEntry {
            binding: n as u32 + 1,
            resource: self.buffers[id.0].as_entire_binding(),
        }));
        let group = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&dispatch.kernel.name()),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let [x, y] = dispatch.grid;
        let grid = [x, y, dispatch.networks];
        #[cfg(feature = "faults")]
        let grid = if self.gpu.options.faults.breaks(&dispatch.kernel.name()) { [0; 3] } else { grid };
        PreparedDispatch {
            pipeline,
            group,
            uses_step: dispatch.kernel.def.uses_step,
            grid,
            cost: dispatch.cost,
            piece: dispatch.piece.clone(),
        }
    }

    /// Compiles the new kernels of `plan` on all cores: a driver takes up to a second for one.
    pub(crate) async fn compile_kernels(&mut self, plan: &Plan) -> Result<()> {
        let (gpu, clock) = (&self.gpu, self.gpu.options.clock);
        let start = clock.now();
        let mut new = Vec::<(&Kernel, Shader)>::new();
        for Dispatch { kernel, .. } in &plan.dispatches {
            let known = self.pipelines.iter().map(|(known, _)| known).chain(new.iter().map(|(k, _)| *k));
            if known.into_iter().all(|known| known != kernel) {
                new.push((kernel, kernel.shader(gpu)));
            }
        }
        let missing: Vec<_> = new.iter().filter(|(_, shader)| gpu.pipelines.find(shader).is_none()).collect();
        #[cfg(not(target_family = "wasm"))]
        let to_compile = missing.par_iter();
        #[cfg(target_family = "wasm")]
        let to_compile = missing.iter();
        let compiled = to_compile.map(|(kernel, shader)| compile(gpu, (kernel, shader), &self.step_layout));
        let compiled: Vec<_> = compiled.collect();
        for (pipeline, (kernel, shader)) in compiled.into_iter().zip(missing) {
            let pipeline = pipeline.await.map_err(|error| not_compiled(gpu, kernel, error))?;
            gpu.pipelines.add(shader.clone(), pipeline);
        }
        let made = |(kernel, shader): (&Kernel, Shader)| {
            (kernel.clone(), gpu.pipelines.find(&shader).expect("compiled before"))
        };
        self.pipelines.extend(new.into_iter().map(made));
        self.compiling += clock.since(start);
        Ok(())
    }

    pub(crate) fn kernel_names(&self) -> Vec<String> {
        self.pipelines.iter().map(|(kernel, _)| kernel.name()).collect()
    }
}

/// What a driver says of a kernel, which may include all of its text.
const MAX_REASON: usize = 300;

fn not_compiled(gpu: &Gpu, kernel: &Kernel, error: BackendError) -> BackendError {
    match error {
        BackendError::Device(mut reason) => {
            if let Some((end, _)) = reason.char_indices().nth(MAX_REASON) {
                reason.truncate(end);
                reason.push_str("..");
            }
            BackendError::NotCompiled { kernel: kernel.name(), device: gpu.info.name.clone(), reason }
        }
        other => other,
    }
}

/// The work is done immediately; the result can be awaited on another thread.
fn compile(
    gpu: &Gpu,
    (kernel, Shader { name, wgsl, constants }): (&Kernel, &Shader),
    step_layout: &wgpu::BindGroupLayout,
) -> impl Future<Output = Result<Pipeline>> {
    let storage = |access| wgpu::BufferBindingType::Storage { read_only: access == Access::Read };
    let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, false)];
    entries.extend(
        kernel.def.bindings.iter().zip(1..).map(|(binding, n)| entry(n, storage(binding.access), false)),
    );
    gpu.scoped(move |device| {
        #[cfg(feature = "faults")]
        let wgsl = if gpu.options.faults.refuses(name) { "no WGSL" } else { wgsl.as_str() };
        let source = wgpu::ShaderSource::Wgsl(wgsl.into());
        let descriptor = wgpu::ShaderModuleDescriptor { label: Some(name), source };
        let module = if gpu.options.checked_shaders {
            device.create_shader_module(descriptor)
        } else {
            // SAFETY: every index is compared with the sizes in the parameters, from which the planner also sizes the
            // buffers; the conformance tests run the same kernels with checks.
            unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(name),
            entries: &entries,
        });
        let step = kernel.def.uses_step.then_some(step_layout);
        let groups: &[_] = if step.is_some() { &[Some(&layout), step] } else { &[Some(&layout)] };
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(name),
            bind_group_layouts: groups,
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // Every kernel writes its workgroup memory before reading it.
                zero_initialize_workgroup_memory: false,
            },
            cache: gpu.pipelines.cache(),
        });
        Pipeline::new(pipeline, layout)
    })
}
