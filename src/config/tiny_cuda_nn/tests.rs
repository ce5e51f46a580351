use super::nearest;
use crate::config::{Config, EncodingKind, EncodingList, Growth, LossKind};
use crate::model::ScheduleKind;
use crate::picture::{Picture, Pixels};

/// The components and values of its sample with a hash grid, in the syntax it allows.
const HASH: &str = r#"{
    "loss": {"otype": "RelativeL2"}, // as in Noise2Noise
    "optimizer": {"otype": "adam", "learning_rate": 1e-2, "beta2": 0.99, "epsilon": 1e-15, "l2_reg": 1e-6},
    /* 16 levels
       of 2 features */
    "encoding": {"otype": "HashGrid", "n_levels": 16, "n_features_per_level": 2, "log2_hashmap_size": 15,
        "base_resolution": 16, "per_level_scale": 1.5, "fixed_point_pos": false},
    "network": {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None",
        "n_neurons": 64, "n_hidden_layers": 2}
}"#;

#[test]
fn a_sample_means_what_it_says() {
    let config = Config::parse_tiny_cuda_nn(HASH).unwrap();
    let toml = r#"
        [encoding]
        kind = "hash-grid"
        levels = 16
        features_per_level = 2
        log2_table = 15
        base_resolution = 16
        growth = 1.5
        interpolation = "linear"
        [network]
        hidden = 64
        layers = 3
        activation = "relu"
        output = "identity"
        init = "glorot-normal"
        [training]
        loss = "relative-l2"
        optimizer = "adam"
        lr = 1e-2
        beta1 = 0.9
        beta2 = 0.99
        epsilon = 1e-15
        weight_decay = 0.0
        l2 = 1e-6
        schedule = "constant"
    "#;
    assert_eq!(config, Config::parse(toml).unwrap());
    config.check().unwrap();
}

#[test]
fn what_is_left_out_has_its_defaults() {
    let config = Config::parse_tiny_cuda_nn(r#"{"network": {}}"#).unwrap();
    assert_eq!((config.encoding.kind, config.encoding.bins), (Some(EncodingKind::OneBlob), Some(16)));
    assert_eq!((config.network.hidden, config.network.layers), (Some(128), Some(6)));
    assert_eq!(config.training.loss, Some(LossKind::RelativeL2));
    assert_eq!((config.training.lr, config.training.l2), (Some(1e-3), Some(1e-8)));
    let grid = Config::parse_tiny_cuda_nn(r#"{"encoding": {"otype": "HashGrid"}}"#).unwrap().encoding;
    assert_eq!((grid.levels, grid.base_resolution, grid.log2_table), (Some(16), Some(16), Some(19)));
}

#[test]
fn a_grid_without_a_scale_ends_at_two_pixels_a_cell() {
    let text = r#"{"encoding": {"otype": "HashGrid", "n_levels": 5, "base_resolution": 4}}"#;
    let config = Config::parse_tiny_cuda_nn(text).unwrap();
    let picture = Picture { width: 128, height: 16, channels: 1, pixels: Pixels::U8(vec![9; 128 * 16]) };
    let growth = config.resolve(&picture, None).unwrap().config.encoding.growth;
    // 4 * 2^4 = 64
    assert_eq!(growth, Some(Growth::Factor(2.0)));
    let automatic = text.replace("16}", "16, \"per_level_scale\": 0.0}");
    assert_eq!(Config::parse_tiny_cuda_nn(&automatic).unwrap(), config);
}

#[test]
fn the_type_of_a_grid_wins_over_its_name() {
    for (otype, kind, expected) in [
        ("HashGrid", r#""type": "Dense","#, EncodingKind::DenseGrid),
        ("DenseGrid", r#""type": "hash","#, EncodingKind::HashGrid),
        ("TiledGrid", r#""type": "Hash","#, EncodingKind::HashGrid),
        ("DenseGrid", "", EncodingKind::DenseGrid),
        ("HashGrid", "", EncodingKind::HashGrid),
        ("Grid", "", EncodingKind::HashGrid),
        ("grid", r#""type": "Dense","#, EncodingKind::DenseGrid),
    ] {
        let text = format!(r#"{{"encoding": {{"otype": "{otype}", {kind} "n_levels": 4}}}}"#);
        let encoding = Config::parse_tiny_cuda_nn(&text).unwrap().encoding;
        assert_eq!(encoding.kind, Some(expected), "{text}");
        assert_eq!(encoding.log2_table.is_some(), expected == EncodingKind::HashGrid);
    }
}

#[test]
fn levels_may_be_given_as_features() {
    let levels = |keys: &str| {
        let text = format!(r#"{{"encoding": {{"otype": "Grid", {keys}}}}}"#);
        Config::parse_tiny_cuda_nn(&text).map(|config| config.encoding.levels)
    };
    assert_eq!(levels(r#""n_features": 32, "n_features_per_level": 4"#), Ok(Some(8)));
    assert_eq!(levels(r#""n_grid_features": 8"#), Ok(Some(4)));
    assert!(levels(r#""n_features": 32, "n_levels": 8"#).unwrap_err().contains("give one"));
}

#[test]
fn slips_are_recognised() {
    let known = ["n_neurons", "n_hidden_layers", "activation", "otype"];
    assert_eq!(nearest("n_neuron", &known), Some("n_neurons"));
    assert_eq!(nearest("N_hidden_layer", &known), Some("n_hidden_layers"));
    assert_eq!(nearest("biases", &known), None);
}

#[test]
fn composites_encode_the_position_several_times() {
    let text = r#"{"encoding": {"otype": "Composite", "nested": [
        {"otype": "HashGrid", "n_levels": 8, "n_dims_to_encode": 2},
        {"otype": "Identity", "dims_to_encode_begin": 0}]}}"#;
    let encoding = Config::parse_tiny_cuda_nn(text).unwrap().encoding;
    assert_eq!((encoding.kind, encoding.levels), (Some(EncodingKind::HashGrid), Some(8)));
    assert_eq!(encoding.also, Some(EncodingList(vec![EncodingKind::None])));
    let error = Config::parse_tiny_cuda_nn(&text.replace("dims_to_encode_begin", "x")).unwrap_err();
    assert!(error.contains("needs \"dims_to_encode_begin\": 0"), "{error}");
}

#[test]
fn wrappers_are_settings_of_the_run() {
    let text = r#"{"optimizer": {"otype": "Ema", "decay": 0.95, "nested": {
        "otype": "ExponentialDecay", "decay_start": 20000, "decay_interval": 10000, "decay_base": 0.33,
        "nested": {"otype": "Adam", "learning_rate": 1e-2, "non_matrix_learning_rate_factor": 10.0}}}}"#;
    let training = Config::parse_tiny_cuda_nn(text).unwrap().training;
    assert_eq!((training.ema, training.lr, training.encoding_lr), (Some(0.95), Some(1e-2), Some(0.1)));
    assert_eq!((training.schedule, training.decay), (Some(ScheduleKind::Step), Some(0.33)));
    assert_eq!((training.cycle, training.hold), (Some(10_000), Some(10_000)));
}

#[test]
fn what_is_not_here_is_named() {
    for (text, part) in [
        ("{", "Unterminated object on line 1 column 2"),
        ("{\"loss\": /* a\nb */ x}", "line 2 column 6"),
        (r#"{"loss": {},}"#, "Trailing commas are not allowed"),
        ("[1]", "an object with the sections"),
        (r#"{"lr": 1}"#, "there is none of tiny-cuda-nn's sections"),
        (r#"{"loss": "L2"}"#, "`loss` is \"L2\": give an object"),
        (r#"{"loss": {"otype": "CrossEntropy"}}"#, "does not have tiny-cuda-nn's loss `CrossEntropy`"),
        (r#"{"optimizer": {"otype": "Shampoo"}}"#, "optimizer `Shampoo`; it has Adam and SGD"),
        (r#"{"optimizer": {"adabound": true}}"#, "optimizer.adabound is true"),
        (r#"{"optimizer": {"learning_rate": "fast"}}"#, "optimizer.learning_rate is \"fast\": give a number"),
        (r#"{"optimizer": {"otype": "ExponentialDecay", "decay_start": 5}}"#, "decay_start is 5"),
        (r#"{"encoding": {"otype": "SphericalHarmonics"}}"#, "encoding `SphericalHarmonics`"),
        (r#"{"encoding": {"otype": "TiledGrid"}}"#, "encoding `Tiled`"),
        (r#"{"encoding": {"otype": "Grid", "interpolation": "Nearest"}}"#, "encoding `Nearest`"),
        (r#"{"encoding": {"otype": "Grid", "n_levels": -1}}"#, "encoding.n_levels is -1"),
        (r#"{"encoding": {"otype": "Identity", "scale": 2.0}}"#, "encoding.scale is 2"),
        (r#"{"encoding": {"otype": "Composite", "nested": []}}"#, "encoding.nested has no encodings"),
        (r#"{"network": {"otype": "CutlassResNet"}}"#, "network `CutlassResNet`"),
        (r#"{"network": {"activation": "Squareplus"}}"#, "network `Squareplus`"),
    ] {
        let error = Config::parse_tiny_cuda_nn(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let text = r#"{"encoding": {"otype": "HashGrid"}}"#;
    let marked = Config::parse_tiny_cuda_nn(&format!("\u{feff}{text}"));
    assert_eq!(marked, Config::parse_tiny_cuda_nn(text));
    assert!(marked.is_ok());
}

#[test]
fn comments_are_left_out_and_strings_are_not() {
    let text = "{\"loss\": {\"otype\": \"// b \\\" /* c */\"}}";
    let error = Config::parse_tiny_cuda_nn(text).unwrap_err();
    assert!(error.contains("loss `// b \" /* c */`"), "{error}");
}
