//! `afterimage collect`: the networks are those of `train`, and every picture has one, whatever happens on the way.

use crate::inspect::python_with_torch;
use crate::program::program;
use crate::running::Running;
use crate::skip::{Missing, skip};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Parts of the portrait, 20x16 pixels each, in two folders.
fn pictures(folder: &Path, n: u32) {
    let portrait = image::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/astronaut.png"));
    let portrait = portrait.expect("the portrait").to_rgb8();
    for label in ["even", "odd"] {
        fs::create_dir_all(folder.join(label)).expect("a folder");
    }
    for i in 0..n {
        let part = image::imageops::crop_imm(&portrait, 23 * (i % 20), 31 * (i / 20), 20, 16).to_image();
        let label = ["even", "odd"][i as usize % 2];
        part.save(folder.join(label).join(format!("{i:03}.png"))).expect("a picture");
    }
}

fn collect(pictures: &Path, out: &Path) -> Command {
    let mut command = collect_with(pictures, out, &["--encoding", "none", "--epochs", "8"]);
    command.args(["--activation", "sine"]);
    command
}

fn collect_with(pictures: &Path, out: &Path, settings: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("collect").arg(pictures).arg("--out").arg(out).args(["--layers", "3", "--hidden", "12"]);
    command.args(["--batch", "100"]).args(settings).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn done(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What a command that is refused says.
fn refusal(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    said
}

fn rows(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("index.jsonl")).expect("an index");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The tensors of the network of `row`, by name.
fn network(folder: &Path, row: &Value) -> BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(folder.join(row["file"].as_str().expect("a file"))).expect("a file of networks");
    let (file, at) =
        (SafeTensors::deserialize(&bytes).expect("tensors"), row["row"].as_u64().expect("a row"));
    let of_row = |tensor: &safetensors::tensor::TensorView<'_>| {
        let length = tensor.data().len() / tensor.shape()[0];
        tensor.data()[length * at as usize..][..length].to_vec()
    };
    file.iter().map(|(name, tensor)| (name.to_owned(), of_row(&tensor))).collect()
}

/// Names and contents of everything in `folder`.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.file_name().expect("a name").into(), fs::read(&path).expect("a file"))).collect()
}

#[test]
fn each_network_is_the_one_that_train_makes() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (from, out) = (dir.path().join("pictures"), dir.path().join("out"));
    pictures(&from, 5);
    for seeds in ["same", "each"] {
        done(collect(&from, &out).args(["--seeds", seeds, "--seed", "3"]));
        let rows = rows(&out);
        assert_eq!(rows.len(), 5);
        for (place, row) in rows.iter().enumerate() {
            let picture = from.join(row["picture"].as_str().expect("a name"));
            let run = dir.path().join("run");
            let mut train = Command::new(program());
            train.args(["train", "-q", "--force", "--backend", "cpu", "--threads", "2", "--config"]);
            train.arg(out.join("config.toml")).arg(picture).arg("--out").arg(&run);
            if seeds == "each" {
                train.args(["--seed", &(3 + place).to_string()]);
            }
            done(&mut train);
            let model = fs::read(run.join("model.safetensors")).expect("a model");
            let model = SafeTensors::deserialize(&model).expect("tensors");
            let alone: BTreeMap<String, Vec<u8>> =
                model.iter().map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec())).collect();
            assert_eq!(network(&out, row), alone, "{row}");
            let manifest: Value =
                serde_json::from_slice(&fs::read(run.join("run.json")).expect("run.json")).expect("JSON");
            assert_eq!(row["psnr"], manifest["psnr_train"], "{row}");
        }
        fs::remove_dir_all(&out).expect("removed");
    }
}

/// The places of the pictures whose networks a journal has: each with its place, the length of its row, the row, 231
/// values, and a checksum.
fn places_in(journal: &[u8]) -> Vec<usize> {
    let number = |at: usize| journal[at..].first_chunk().map(|&bytes| u64::from_le_bytes(bytes) as usize);
    let (mut places, mut at) = (Vec::new(), 0);
    while at + 16 <= journal.len() {
        let end = at + 16 + number(at + 8).expect("a length") + 4 * 231 + 4;
        // The last one may be torn.
        places.extend(number(at).filter(|_| end <= journal.len()));
        at = end;
    }
    places
}

#[test]
fn kills_lose_no_network_and_make_none_twice() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let from = dir.path().join("pictures");
    pictures(&from, 40);
    let to = |name: &str| dir.path().join(name);
    let command = |name: &str| {
        let settings = ["--encoding", "none", "--per-file", "7", "--epochs", "200", "--threads", "2"];
        collect_with(&from, &to(name), &settings)
    };
    done(&mut command("undisturbed"));
    let out = to("killed");
    let journal = out.join("unfinished.bin");
    // In the middle of the first file, just when one is written, and later.
    let half = || fs::metadata(&journal).is_ok_and(|metadata| metadata.len() > 2000);
    let file = |n: usize| out.join(format!("{n:05}.safetensors"));
    let moments: [&dyn Fn() -> bool; 4] = [&half, &|| file(0).exists(), &half, &|| file(3).exists()];
    let mut before = 0;
    for moment in moments {
        let mut running = Running::start(command("killed").stdout(Stdio::null()).stderr(Stdio::null()));
        running.wait_until("it has come so far", moment);
        running.kill();
        let found = files(&out);
        let networks = found.iter().filter(|(name, _)| name.extension().is_some_and(|e| e == "safetensors"));
        let kept = networks.map(|(_, bytes)| bytes.len()).sum::<usize>();
        assert!(kept >= before, "files were lost");
        before = kept;
    }
    let in_files = (0..6).filter(|&n| file(n).exists()).count();
    // A kill right after a file was written leaves its networks in both.
    let places = places_in(&fs::read(&journal).unwrap_or_default());
    let in_journal = places.into_iter().filter(|place| !file(place / 7).exists()).count();
    let last = done(&mut command("killed"));
    let said = String::from_utf8_lossy(&last.stderr).into_owned();
    let kept = said.split_once(" to train, ").and_then(|(_, rest)| rest.split_once(" done before"));
    let kept: usize = kept.and_then(|(n, _)| n.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    // The last file has fewer, and the kill may have come too late on a busy machine.
    assert_eq!(kept, (7 * in_files + in_journal).min(40), "{in_files} files and {in_journal} in the journal");
    assert_eq!(files(&out), files(&to("undisturbed")));
    // What is done is not done again.
    let again = done(&mut command("killed"));
    assert!(String::from_utf8_lossy(&again.stderr).contains("0 networks to train, 40 done before"));
    let mut names: Vec<String> = rows(&out).iter().map(|row| row["picture"].to_string()).collect();
    names.dedup();
    assert_eq!(names.len(), 40);
}

#[test]
fn shards_are_the_whole_and_archives_and_lists_are_folders() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let from = dir.path().join("pictures");
    pictures(&from, 7);
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    done(&mut collect(&from, &whole));
    for shard in ["1/2", "2/2"] {
        done(collect(&from, &parts).args(["--shard", shard, "--per-file", "2"]));
    }
    let another = refusal(collect(&from, &parts).args(["--shard", "1/3"]));
    assert!(another.contains("shares the pictures otherwise"), "{another}");
    let another = refusal(collect(&from, &parts).args(["--shard", "1/2", "--per-file", "2", "--lr", "1"]));
    assert!(another.contains("made otherwise"), "{another}");
    assert!(refusal(collect(&from, &whole).args(["--shard", "1/2"])).contains("a whole collection"));
    let key = |row: &Value| row["picture"].as_str().expect("a name").to_owned();
    let networks = |folder: &Path| -> BTreeMap<String, _> {
        let one = |row: &Value| (row["label"].clone(), row["psnr"].clone(), network(folder, row));
        rows(folder).iter().map(|row| (key(row), one(row))).collect()
    };
    let mut together = networks(&parts.join("shard-1-of-2"));
    assert_eq!(together.len(), 4);
    together.extend(networks(&parts.join("shard-2-of-2")));
    assert_eq!(together, networks(&whole));
    assert!(together.iter().all(|(name, (label, ..))| name.starts_with(label.as_str().expect("a label"))));

    let archive = dir.path().join("pictures.tar");
    let mut tar = tar::Builder::new(fs::File::create(&archive).expect("a file"));
    tar.append_dir_all("", &from).expect("archived");
    tar.into_inner().expect("written");
    let list = dir.path().join("list.txt");
    let line = |name: &String| format!("pictures/{name}\tof {name}\n");
    fs::write(&list, together.keys().map(line).collect::<String>()).expect("a list");
    for (pictures, out) in [(&archive, "from-archive"), (&list, "from-list")] {
        let out = dir.path().join(out);
        done(&mut collect(pictures, &out));
        let file = |folder: &Path| network(folder, &rows(folder)[3]);
        assert_eq!(file(&out), file(&whole));
        let labels: Vec<Value> = rows(&out).iter().map(|row| row["label"].clone()).collect();
        let expected = if pictures == &list { "of even/000.png" } else { "even" };
        assert_eq!(labels[0], expected);
    }
}

/// As it stands in the documentation.
#[test]
fn the_loader_is_a_dataset_of_pytorch() {
    let Some(python) = python_with_torch() else {
        skip(Missing::Software("no Python with torch and safetensors (AFTERIMAGE_PYTHON names one)"));
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (from, out) = (dir.path().join("pictures"), dir.path().join("out"));
    pictures(&from, 5);
    for shard in ["1/2", "2/2"] {
        done(collect(&from, &out).args(["--shard", shard, "--per-file", "2"]));
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/COLLECTIONS.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, code) = page.split_once("```python\n").expect("a loader");
    let (code, _) = code.split_once("```").expect("its end");
    let use_it = "data = Networks('out')\n\
                  w, labels = next(iter(torch.utils.data.DataLoader(data, batch_size=len(data))))\n\
                  assert w['layers.0.weight'].shape == (5, 12, 2), w['layers.0.weight'].shape\n\
                  print(*labels, *w['layers.2.bias'].flatten().tolist())\n";
    let output =
        done(Command::new(python).args(["-c", &format!("{code}\n{use_it}")]).current_dir(dir.path()));
    let text = String::from_utf8(output.stdout).expect("text");
    let (labels, biases) = text.trim().split_at(text.rfind(char::is_alphabetic).expect("labels") + 1);
    assert_eq!(labels, "even even odd even odd");
    let shards = ["shard-1-of-2", "shard-2-of-2"].map(|name| out.join(name));
    let ours: Vec<f32> = shards
        .iter()
        .flat_map(|shard| rows(shard).into_iter().map(|row| network(shard, &row)))
        .flat_map(|network| {
            let bias = network["layers.2.bias"].as_chunks().0;
            bias.iter().map(|&value| f32::from_le_bytes(value)).collect::<Vec<_>>()
        })
        .collect();
    let theirs: Vec<f32> = biases.split_whitespace().map(|value| value.parse().expect("a number")).collect();
    assert_eq!(theirs, ours);
}

#[test]
fn pictures_that_cannot_be_used_are_named_and_left_out() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (from, out) = (dir.path().join("pictures"), dir.path().join("out"));
    pictures(&from, 4);
    fs::write(from.join("even/001 broken.png"), "no picture").expect("written");
    // Grey becomes colour, and a crop makes one shape of all.
    image::GrayImage::from_fn(50, 30, |x, y| image::Luma([(5 * x + y) as u8]))
        .save(from.join("odd/grey.png"))
        .unwrap();
    let output = collect(&from, &out).args(["--crop", "16x12"]).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("even/001 broken.png is left out: ") && said.contains("1 picture left out"),
        "{said}"
    );
    let rows = rows(&out);
    let (with, without): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["file"].is_string());
    assert_eq!((with.len(), without.len()), (5, 1));
    assert!(without[0]["error"].as_str().expect("a reason").contains("001 broken.png"));
    assert_eq!(with[4]["picture"], "odd/grey.png");
    network(&out, with[4]);
    // With their own channels, what is not like the first is left out.
    let output =
        collect(&from, &dir.path().join("own")).args(["--channels", "own"]).output().expect("it starts");
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("odd/grey.png is left out: its network has another shape")
    );
    fs::remove_dir_all(from.join("odd")).expect("removed");
    fs::read_dir(from.join("even")).unwrap().flatten().for_each(|entry| fs::write(entry.path(), "").unwrap());
    assert!(refusal(&mut collect(&from, &dir.path().join("none"))).contains("even/000.png"));
    assert!(!dir.path().join("none").exists(), "nothing is left behind");
}

#[test]
fn another_collection_is_not_mixed_in() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (from, out) = (dir.path().join("pictures"), dir.path().join("out"));
    pictures(&from, 3);
    done(&mut collect(&from, &out));
    let before = files(&out);
    let said = refusal(collect(&from, &out).args(["--lr", "0.002"]));
    assert!(said.contains("lr = ") && said.contains("another --out"), "{said}");
    assert!(refusal(collect(&from, &out).args(["--seeds", "each"])).contains("seeds = \"same\""));
    fs::remove_file(from.join("odd/001.png")).expect("removed");
    assert!(refusal(&mut collect(&from, &out)).contains("pictures = 3"));
    assert_eq!(files(&out), before);
    fs::write(dir.path().join("notes"), "").expect("written");
    assert!(refusal(&mut collect(&from, dir.path())).contains("is no collection, and has "));
    let open = ["--encoding", "gaussian", "--sigma", "auto"];
    let said = refusal(&mut collect_with(&from, &dir.path().join("new"), &open));
    assert!(said.contains("give a number"), "{said}");
    for (option, value) in [("--shard", "3/2"), ("--crop", "native"), ("--per-file", "0")] {
        let output =
            collect(&from, &dir.path().join("new")).args([option, value]).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{option} {value}");
    }
    assert!(!dir.path().join("new").exists());
}
