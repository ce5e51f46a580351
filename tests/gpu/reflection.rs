//! The shaders against their Rust descriptions, and through every back end of naga. No GPU needed.

use afterimage::backend::gpu::kernel::{Access, Cells, Kernel, MatmulTiling, ParamsBlock, STEP_BLOCK};
use afterimage::backend::gpu::ops::kernels;
use afterimage::backend::gpu::ops::sample::PICTURE_BLOCK;
use afterimage::model::real::SIN_TURNS;
use naga::back::pipeline_constants::process_overrides;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess, TypeInner};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn shader_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")
}

/// What naga must let pass for a kernel, by what it needs of a device.
fn capabilities(kernel: &Kernel) -> Capabilities {
    let known = [
        (wgpu::Features::SHADER_F16, Capabilities::SHADER_FLOAT16),
        (wgpu::Features::SHADER_FLOAT32_ATOMIC, Capabilities::SHADER_FLOAT32_ATOMIC),
        (wgpu::Features::SHADER_INT64, Capabilities::SHADER_INT64),
        (wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS, Capabilities::SHADER_INT64_ATOMIC_ALL_OPS),
        (wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, Capabilities::COOPERATIVE_MATRIX),
    ];
    let needed = known.into_iter().filter(|(feature, _)| kernel.needs().contains(*feature));
    // `unpack2x16float`, which all but old versions of OpenGL have.
    let always = Capabilities::default() | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    needed.fold(always, |all, (_, capability)| all | capability)
}

fn parse(kernel: &Kernel, cells: Cells) -> (Module, ModuleInfo) {
    let source = kernel.wgsl(cells);
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|e| panic!("{}: {}", kernel.name(), e.emit_to_string(&source)));
    let info = Validator::new(ValidationFlags::all(), capabilities(kernel))
        .validate(&module)
        .unwrap_or_else(|e| panic!("{}: {e:?}", kernel.name()));
    (module, info)
}

/// The module with its override constants filled in, as the translators want it.
fn specialise(kernel: &Kernel, cells: Cells) -> (Module, ModuleInfo) {
    let (module, info) = parse(kernel, cells);
    let mut constants: naga::back::PipelineConstants =
        kernel.override_constants().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    if kernel.tiling.matrix_size().is_some() {
        constants.insert("subgroup_size".to_owned(), 32.0);
    }
    let (module, info) =
        process_overrides(&module, &info, Some((naga::ShaderStage::Compute, "main")), &constants)
            .unwrap_or_else(|e| panic!("{}: {e}", kernel.name()));
    (module.into_owned(), info.into_owned())
}

fn check_block(kernel: &Kernel, module: &Module, ty: naga::Handle<naga::Type>, block: ParamsBlock) {
    let ty = &module.types[ty];
    assert_eq!(ty.name.as_deref(), Some(block.name), "{}", kernel.name());
    let TypeInner::Struct { members, span } = &ty.inner else { panic!("{} is not a struct", block.name) };
    let in_wgsl: Vec<_> =
        members.iter().map(|m| (m.name.clone().unwrap_or_default(), m.offset as usize)).collect();
    let in_rust: Vec<_> = block.fields.iter().map(|&(name, offset)| (name.to_owned(), offset)).collect();
    assert_eq!(in_wgsl, in_rust, "fields of {} in {}", block.name, kernel.name());
    for member in members.iter().filter(|m| matches!(module.types[m.ty].inner, TypeInner::Struct { .. })) {
        check_block(kernel, module, member.ty, PICTURE_BLOCK);
    }
    // WGSL rounds a struct with vectors up; the executor binds whole vectors.
    assert_eq!(*span as usize, block.size.next_multiple_of(if *span % 16 == 0 { 16 } else { 4 }));
}

#[test]
fn bindings_and_blocks_are_as_described() {
    for kernel in kernels() {
        let name = kernel.name();
        let (module, _) = parse(&kernel, Cells::OfFourFromWords);
        let mut storage = BTreeMap::new();
        let mut uniforms = BTreeSet::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(at) = variable.binding else { continue };
            match variable.space {
                AddressSpace::Uniform => {
                    let block = if at.group == 0 { kernel.def.params } else { STEP_BLOCK };
                    check_block(&kernel, &module, variable.ty, block);
                    uniforms.insert((at.group, at.binding));
                }
                AddressSpace::Storage { access } => {
                    assert_eq!(at.group, 0, "{name}");
                    let writes = access.contains(StorageAccess::STORE);
                    storage.insert(at.binding, (variable.name.clone().unwrap_or_default(), writes));
                }
                space => panic!("{name} binds {space:?}"),
            }
        }
        let expected: BTreeSet<_> =
            [(0, 0)].into_iter().chain(kernel.def.uses_step.then_some((1, 0))).collect();
        assert_eq!(uniforms, expected, "uniforms of {name}");
        let described: BTreeMap<u32, _> = (1..)
            .zip(kernel.def.bindings)
            .map(|(n, b)| (n, (b.name.to_owned(), b.access == Access::ReadWrite)))
            .collect();
        assert_eq!(storage, described, "storage bindings of {name}");
    }
}

#[test]
fn kernels_need_no_more_than_the_default_limits() {
    let limits = wgpu_limits();
    for kernel in kernels() {
        // With its sizes: the host chooses those of whole networks for the same limits.
        let (module, _) = specialise(&kernel, Cells::OfFourFromWords);
        let entry = &module.entry_points[0];
        assert_eq!((module.entry_points.len(), entry.name.as_str()), (1, "main"), "{}", kernel.name());
        assert!(entry.workgroup_size.iter().product::<u32>() <= limits.invocations, "{}", kernel.name());
        assert!(kernel.def.bindings.len() <= limits.storage_buffers, "{}", kernel.name());
        let workgroup: u32 = module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == AddressSpace::WorkGroup)
            .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
            .sum();
        // Tiles of cooperative matrices are used where the device has as much as the host counts.
        let available = match kernel.tiling.matrix_size() {
            Some(_) => kernel.workgroup_bytes(),
            None => limits.workgroup_bytes,
        };
        assert!(workgroup <= available, "{} takes {workgroup} bytes", kernel.name());
    }
}

struct DefaultLimits {
    invocations: u32,
    storage_buffers: usize,
    workgroup_bytes: u32,
}

/// WebGPU, table of default limits.
fn wgpu_limits() -> DefaultLimits {
    DefaultLimits { invocations: 256, storage_buffers: 8, workgroup_bytes: 16 * 1024 }
}

#[test]
fn every_kernel_has_verification_cases_and_a_reference_for_its_outputs() {
    for kernel in kernels() {
        let cases = kernel.cases();
        assert!(cases.len() >= 3, "{}", kernel.name());
        for case in cases {
            assert_eq!(case.buffers.len(), kernel.def.bindings.len(), "{}", kernel.name());
            assert_eq!(case.params.len(), kernel.def.params.size, "{}", kernel.name());
        }
    }
}

#[test]
fn every_shader_file_belongs_to_a_kernel() {
    fn walk(folder: &Path, files: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("shaders/ is there") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                walk(&path, files);
            } else {
                let below = path.strip_prefix(shader_folder()).expect("below shaders/");
                files.insert(below.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    let mut files = BTreeSet::new();
    walk(&shader_folder(), &mut files);
    let sources = |kernel: Kernel| Cells::ALL.map(|cells| kernel.sources(cells)).concat();
    let used: BTreeSet<_> =
        kernels().into_iter().flat_map(sources).map(|source| source.path.to_owned()).collect();
    assert_eq!(files, used, "files of shaders/ and files the kernels include");
}

#[test]
fn header_has_the_shared_polynomial() {
    let header = std::fs::read_to_string(shader_folder().join("header.wgsl")).expect("header.wgsl");
    let body = header.split("fn sin_quarter").nth(1).and_then(|s| s.split('}').next()).expect("sin_quarter");
    let numbers: Vec<f32> = body
        .split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
        .filter(|text| text.contains('.'))
        .map(|text| text.parse().expect("a number"))
        .collect();
    assert_eq!(numbers, SIN_TURNS);
}

#[test]
fn host_constants_are_the_shaders() {
    let text = |file: &str| std::fs::read_to_string(shader_folder().join(file)).expect(file);
    assert!(text("header.wgsl").contains("const THREADS: u32 = 256u;"));
    assert_eq!(afterimage::backend::gpu::plan::THREADS, 256);
    let matrices = text("matmul/matrices.wgsl");
    assert!(matrices.contains("const SHARE: u32 = 4u * SIZE;"));
    let deepest = afterimage::backend::gpu::ops::dense::DEPTH;
    for tiling in MatmulTiling::ALL {
        let constant = |text: &str, name: &str| {
            let (_, rest) = text.split_once(&format!("const {name}: u32 = ")).expect(name);
            rest.split_once('u').and_then(|(number, _)| number.parse::<usize>().ok()).expect("a number")
        };
        let (depth, tile) = match tiling.matrix_size() {
            Some(size) => {
                let in_shader = constant(&text(&format!("matmul/matrices_{size}.wgsl")), "SIZE");
                assert_eq!(in_shader, size as usize);
                let columns = if tiling == MatmulTiling::Matrix16Wide { 4 } else { 2 };
                let groups = text(&format!("matmul/groups_2x{columns}.wgsl"));
                let sides = ["SUBGROUP_ROWS", "SUBGROUP_COLUMNS"].map(|name| constant(&groups, name));
                (constant(&matrices, "DEPTH"), sides.map(|n| 4 * n * in_shader))
            }
            None => {
                let name = tiling.name().trim_start_matches("tile").replace('-', "_");
                let shape = text(&format!("matmul/tile_{name}.wgsl"));
                let sides = ["ROW_QUADS", "COLUMN_QUADS"].map(|name| 4 * constant(&shape, name));
                (constant(&shape, "DEPTH"), sides)
            }
        };
        assert_eq!((tiling.depth(), tiling.tile_shape()), (depth, tile), "{tiling:?}");
        assert_eq!(deepest % depth, 0, "slices are whole tiles");
    }
}

#[test]
fn every_kernel_translates_to_spirv_msl_and_hlsl() {
    use naga::back::{hlsl, msl, spv};
    for kernel in kernels() {
        let name = kernel.name();
        let (module, info) = specialise(&kernel, Cells::OfFourFromWords);
        let (of_four, of_four_info) = specialise(&kernel, Cells::OfFour);
        for (module, info) in [(&module, &info), (&of_four, &of_four_info)] {
            let spirv = spv::write_vec(module, info, &spv::Options::default(), None);
            assert!(!spirv.unwrap_or_else(|e| panic!("{name} to SPIR-V: {e}")).is_empty());
        }

        if kernel.needs().contains(wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS) {
            println!(
                "{name} is for Vulkan: Metal has no such additions, and DX12 those of newer shader models"
            );
            continue;
        }
        // Cooperative matrices are simdgroup matrices there, since Metal 2.3.
        let options =
            msl::Options { lang_version: (2, 3), fake_missing_bindings: true, ..Default::default() };
        let (of_one, of_one_info) = specialise(&kernel, Cells::OfOne);
        let metal = msl::write_string(&of_one, &of_one_info, &options, &msl::PipelineOptions::default());
        let metal = metal.unwrap_or_else(|e| panic!("{name} to MSL: {e}")).0;
        assert!(metal.contains("kernel void"));
        if kernel.tiling.matrix_size().is_some() {
            for tile in ["left_tile", "right_tile", "sum_cells"] {
                let found = of_one.global_variables.iter().find(|(_, v)| v.name.as_deref() == Some(tile));
                let ty = found.unwrap_or_else(|| panic!("{name} has no {tile}")).1.ty;
                let TypeInner::Array { base, .. } = of_one.types[ty].inner else { panic!("{name}: {tile}") };
                let is_number = matches!(of_one.types[base].inner, TypeInner::Scalar(_));
                assert!(is_number, "{name} passes matrices through {tile}, which is not of numbers");
            }
            println!("{name} is not for DX12: naga has no cooperative matrices in HLSL");
            continue;
        }
        if kernel.needs().contains(wgpu::Features::SHADER_FLOAT32_ATOMIC) {
            // HLSL adds only whole numbers atomically; naga writes it all the same, and DX12 has no such feature.
            println!("{name} is not for DX12");
            continue;
        }
        let mut text = String::new();
        let options = hlsl::Options { fake_missing_bindings: true, ..Default::default() };
        let pipeline = hlsl::PipelineOptions::default();
        hlsl::Writer::new(&mut text, &options, &pipeline)
            .write(&module, &info, None)
            .unwrap_or_else(|e| panic!("{name} to HLSL: {e}"));
        assert!(text.contains("numthreads"), "{name}");
        // naga writes the zero of a type once for each name of the type, which no compiler takes.
        let zeros: Vec<_> =
            text.lines().filter(|l| l.contains(" ZeroValue") && l.ends_with("() {")).collect();
        let distinct: BTreeSet<_> = zeros.iter().collect();
        assert_eq!(zeros.len(), distinct.len(), "{name} constructs a type and an alias of it: {zeros:?}");
        write_hlsl(&kernel, &module, &info);
    }
}

/// Writes a kernel for DX12 to the folder `HLSL_FOLDER`, if that is set: see tests/dx12.sh.
fn write_hlsl(kernel: &Kernel, module: &Module, info: &ModuleInfo) {
    use naga::back::hlsl;
    let Some(folder) = std::env::var_os("HLSL_FOLDER") else { return };
    let has_f16 = kernel.needs().contains(wgpu::Features::SHADER_F16);
    // As the program compiles them.
    let options = hlsl::Options {
        shader_model: if has_f16 { hlsl::ShaderModel::V6_2 } else { hlsl::ShaderModel::V5_1 },
        fake_missing_bindings: true,
        restrict_indexing: false,
        force_loop_bounding: false,
        zero_initialize_workgroup_memory: false,
        ..Default::default()
    };
    let mut text = String::new();
    let written =
        hlsl::Writer::new(&mut text, &options, &hlsl::PipelineOptions::default()).write(module, info, None);
    written.unwrap_or_else(|e| panic!("{} to HLSL: {e}", kernel.name()));
    let name = kernel.name().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let name = format!("{}{name}.hlsl", if has_f16 { "16-bit-" } else { "" });
    let path = Path::new(&folder).join(&name);
    assert!(!path.exists(), "two kernels are called {name}");
    std::fs::write(path, text).expect("written");
}
