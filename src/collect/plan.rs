//! A new collection, or one that is continued.

use super::journal::{JOURNAL, Journal};
use super::network::{Network, Shape, shape};
use super::request::SHARD;
use super::store::{FORMAT, Store};
use super::{Channels, CollectError, Request, Result, Row, Seeds, Source, sources};
use crate::atomic_write::{Durability, atomic_write, is_temporary};
use crate::config::{Config, DeviceConfig, Keep, Resolved};
use crate::model::Sampling;
use crate::model_file::ModelFile;
use crate::picture::Picture;
use crate::run::FolderLock;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.toml";
const MANIFEST: &str = "collection.toml";

/// Files have about this size, unless the request says how many networks they have.
const FILE_BYTES: usize = 64 << 20;

/// And at most this many networks.
const MAX_PER_FILE: usize = 4096;

/// What a collection is of, beside its settings: `collection.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Manifest {
    format: String,
    /// Of the whole list, and a checksum of their names and labels.
    pictures: usize,
    list: String,
    shard: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crop: Option<String>,
    channels: Channels,
    seeds: Seeds,
    per_file: usize,
}

impl Manifest {
    fn text(&self) -> String {
        toml::to_string(self).expect("a manifest is TOML")
    }
}

/// A collection that is being made. No other process writes to its folder.
pub struct Collection {
    /// What is asked for.
    pub request: Request,
    /// Its folder: the request's, or in that the shard's.
    pub folder: PathBuf,
    /// The settings of every network, with every default filled in as for the first picture.
    pub config: Config,
    pub(super) mask: Option<Picture>,
    pub(super) shape: Shape,
    /// The pictures of the shard, and their places in the list.
    pub(super) pictures: Vec<(usize, Source)>,
    per_file: usize,
    store: Store,
    journal: Option<Journal>,
    /// The rows of each block whose file is written.
    written: BTreeMap<usize, Vec<Row>>,
    /// The other finished networks, by their place in the shard.
    finished: BTreeMap<usize, Network>,
    _lock: FolderLock,
}

impl Collection {
    /// Finds the pictures, and makes the folder or looks what is done in it.
    ///
    /// # Errors
    /// When the settings are invalid, no picture can be used, or the folder holds anything else or is in use.
    pub fn open(mut request: Request) -> Result<Self> {
        request.prepare()?;
        let all = sources(&request.pictures)?;
        let mask = request.config.load_mask()?;
        let (run, example) = first(&request, &all, mask.as_ref())?;
        let folder = request.folder();
        let store = Store::new(folder.clone(), &example);
        let own = |bytes: usize| (FILE_BYTES / bytes.max(1)).clamp(1, MAX_PER_FILE);
        let per_file = request.per_file.map_or(own(4 * store.n_values()), |n| n.max(1) as usize);
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            pictures: all.len(),
            list: checksum(&all),
            shard: request.shard.to_string(),
            crop: request.crop.map(|crop| crop.to_string()),
            channels: request.channels,
            seeds: request.seeds,
            per_file,
        };
        let lock = FolderLock::acquire(&folder)?;
        let mut shared = run.config;
        shared.device = DeviceConfig::default();
        begin(&request, &folder, &shared, &manifest)?;
        let mut all: Vec<Option<Source>> = all.into_iter().map(Some).collect();
        let places = request.shard.places(all.len());
        let pictures: Vec<_> = places.map(|place| (place, all[place].take().expect("once"))).collect();
        let (journal, finished) = Journal::open(&folder, store.n_values())
            .map_err(|e| CollectError::file(&folder.join(JOURNAL), e))?;
        let device = request.config.device.clone();
        let mut collection = Self {
            config: Config { device, ..shared },
            mask,
            shape: shape(&run.model),
            per_file,
            store,
            journal: Some(journal),
            written: BTreeMap::new(),
            finished,
            pictures,
            request,
            folder,
            _lock: lock,
        };
        collection.look()?;
        Ok(collection)
    }

    /// Finds the files that are written, and writes those whose networks are all in the journal. Removes what a kill left
    /// half written.
    fn look(&mut self) -> Result<()> {
        let entries = std::fs::read_dir(&self.folder).map_err(|e| CollectError::file(&self.folder, e))?;
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| is_temporary(path)) {
            std::fs::remove_file(&path).map_err(|e| CollectError::file(&path, e))?;
        }
        for block in 0..self.n_blocks() {
            if let Some(rows) = self.store.rows(block)? {
                let block_places = self.places(block);
                self.finished.retain(|place, _| !block_places.contains(place));
                self.written.insert(block, rows);
            }
        }
        for block in 0..self.n_blocks() {
            self.write_if_complete(block)?;
        }
        self.finish_if_complete()?;
        self.store.write_index(&self.written_rows())
    }

    fn n_blocks(&self) -> usize {
        self.pictures.len().div_ceil(self.per_file)
    }

    /// The places in the shard of a block's pictures.
    fn places(&self, block: usize) -> std::ops::Range<usize> {
        block * self.per_file..((block + 1) * self.per_file).min(self.pictures.len())
    }

    /// Pictures of the shard.
    pub fn len(&self) -> usize {
        self.pictures.len()
    }

    /// Whether the shard has no pictures: one of more shards than pictures.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// The places in the shard of the pictures that are not done.
    pub(super) fn pending(&self) -> Vec<usize> {
        let is_done = |place: &usize| {
            self.written.contains_key(&(place / self.per_file)) || self.finished.contains_key(place)
        };
        (0..self.pictures.len()).filter(|place| !is_done(place)).collect()
    }

    /// How many pictures are not done.
    pub fn n_pending(&self) -> usize {
        self.pending().len()
    }

    /// The rows of all pictures that are done, in the order of the list.
    pub fn rows(&self) -> Vec<Row> {
        let written = self.written.iter().flat_map(|(&block, rows)| self.places(block).zip(rows));
        let finished = self.finished.iter().map(|(&place, network)| (place, &network.row));
        let rows: BTreeMap<usize, &Row> = written.chain(finished).collect();
        rows.into_values().cloned().collect()
    }

    fn written_rows(&self) -> Vec<Row> {
        self.written.values().flatten().cloned().collect()
    }

    /// Keeps a network: from now on it is not lost.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn add(&mut self, place: usize, network: Network) -> Result<()> {
        self.with_journal(|journal| journal.append(place, &network))?;
        self.finished.insert(place, network);
        if self.write_if_complete(place / self.per_file)? {
            self.store.write_index(&self.written_rows())?;
            self.finish_if_complete()?;
        }
        Ok(())
    }

    /// Writes the file of `block` if its last network is trained; whether it was.
    fn write_if_complete(&mut self, block: usize) -> Result<bool> {
        let places = self.places(block);
        let networks: Vec<&Network> =
            self.finished.range(places.clone()).map(|(_, network)| network).collect();
        if networks.len() < places.len() || self.written.contains_key(&block) {
            return Ok(false);
        }
        let rows = self.store.write(block, &networks)?;
        self.written.insert(block, rows);
        self.finished.retain(|place, _| !places.contains(place));
        let left = std::mem::take(&mut self.finished);
        let replaced = self.with_journal(|journal| journal.replace(&left));
        self.finished = left;
        replaced?;
        Ok(true)
    }

    fn finish_if_complete(&mut self) -> Result<()> {
        match self.journal.take() {
            Some(journal) if self.written.len() == self.n_blocks() => {
                journal.remove().map_err(|e| CollectError::file(&self.folder.join(JOURNAL), e))
            }
            journal => {
                self.journal = journal;
                Ok(())
            }
        }
    }

    fn with_journal(&mut self, work: impl FnOnce(&mut Journal) -> std::io::Result<()>) -> Result<()> {
        let journal = self.journal.as_mut().expect("open until every file is written");
        work(journal).map_err(|e| CollectError::file(&self.folder.join(JOURNAL), e))
    }
}

/// The run of the first picture that can be used, and its model before training.
fn first(request: &Request, all: &[Source], mask: Option<&Picture>) -> Result<(Resolved, ModelFile)> {
    let mut why = None;
    for source in all {
        let picture = match request.load(source, &request.config) {
            Ok(picture) => picture,
            Err(error) => {
                why.get_or_insert(error);
                continue;
            }
        };
        let mut run = request.config.resolve(&picture, mask)?;
        let config = &mut run.config;
        // Of pictures of any shape, not only of the first one's.
        config.picture.size = request.config.picture.size;
        config.picture.file = None;
        // Measuring in between changes nothing, unless it says what is sampled or kept.
        if run.options.sampling == Sampling::Uniform && run.keep == Keep::Last {
            let whole = Some(run.epochs.max(1));
            (config.output.measure_every, config.output.snapshot_every) = (whole, whole);
        }
        let example = crate::run::untrained_model(&run, &picture);
        return Ok((run, example));
    }
    Err(why.expect("a list has pictures"))
}

fn checksum(all: &[Source]) -> String {
    let mut hasher = crc32fast::Hasher::new();
    for source in all {
        hasher
            .update(format!("{}\t{}\n", source.name, source.label.as_deref().unwrap_or_default()).as_bytes());
    }
    format!("{:08x}", hasher.finalize())
}

/// Writes what the collection in `folder` is, or compares it with what is there and in the folders of other shards.
fn begin(request: &Request, folder: &Path, config: &Config, manifest: &Manifest) -> Result<()> {
    let unusable = CollectError::Unusable;
    let (is_shard, out) = (request.shard.of > 1, request.out.display());
    if is_shard && request.out.join(MANIFEST).exists() {
        return Err(unusable(format!("{out} holds a whole collection; give another --out")));
    }
    let entries = |folder: &Path| -> Result<Vec<String>> {
        let entries = std::fs::read_dir(folder).map_err(|e| CollectError::file(folder, e))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    };
    for name in entries(&request.out)?.iter().filter(|name| name.starts_with(SHARD)) {
        if !is_shard || !name.ends_with(&format!("-of-{}", request.shard.of)) {
            let what = "which shares the pictures otherwise; give another --out";
            return Err(unusable(format!("{out} has {name} in it, {what}")));
        }
        compare(&request.out.join(name), config, manifest)?;
    }
    if folder.join(MANIFEST).exists() {
        return compare(folder, config, manifest);
    }
    let foreign = |name: &&String| *name != CONFIG && !name.starts_with('.');
    if let Some(name) = entries(folder)?.iter().find(foreign) {
        let folder = folder.display();
        return Err(unusable(format!("{folder} is no collection, and has {name} in it; give a new folder")));
    }
    for (name, text) in [(CONFIG, config.to_toml()), (MANIFEST, manifest.text())] {
        let path = folder.join(name);
        atomic_write(&path, Durability::Flushed, |out| out.write_all(text.as_bytes()))
            .map_err(|e| CollectError::file(&path, e))?;
    }
    Ok(())
}

/// Refuses a collection in `folder` that was made otherwise, except for its shard.
fn compare(folder: &Path, config: &Config, manifest: &Manifest) -> Result<()> {
    let path = folder.join(MANIFEST);
    // Another shard may just begin.
    if !path.exists() {
        return Ok(());
    }
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| CollectError::file(path, e));
    let without_shard = |text: &str| {
        text.lines().filter(|line| !line.starts_with("shard = ")).map(|line| format!("{line}\n")).collect()
    };
    let [earlier, now]: [String; 2] = [read(&path)?, manifest.text()].map(|text| without_shard(&text));
    // Settings first: the number of networks a file follows from them.
    let changed = difference(&read(&folder.join(CONFIG))?, &config.to_toml());
    let changed = changed.or(difference(&earlier, &now));
    let Some(changed) = changed else { return Ok(()) };
    let what = format!("{} holds a collection that was made otherwise ({changed})", folder.display());
    Err(CollectError::Unusable(format!(
        "{what}; give the same pictures and settings again, or another --out"
    )))
}

/// The first line that differs, as it was and as it is asked for.
fn difference(before: &str, now: &str) -> Option<String> {
    let [before, now] = [before, now].map(|text| text.lines().collect::<Vec<_>>());
    let first = (0..before.len().max(now.len())).find(|&i| before.get(i) != now.get(i))?;
    let [before, now] = [before, now].map(|lines| lines.get(first).copied().unwrap_or("nothing"));
    Some(format!("it has `{before}`, and `{now}` is asked for"))
}
