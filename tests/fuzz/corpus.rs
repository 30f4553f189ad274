//! The files that every run begins with.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::PathBuf,
};

/// One file of the corpus.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fuzz", "corpus", target].iter().collect()
}

/// The files of a target, by name.
pub(crate) fn inputs(target: &str) -> Vec<Input> {
    let files = fs::read_dir(folder(target)).expect("the target's folder");
    let mut inputs: Vec<_> = files
        .map(|file| {
            let file = file.expect("a file");
            let name = file.file_name().into_string().expect("a name");
            Input { name, bytes: fs::read(file.path()).expect("a file") }
        })
        .collect();
    inputs.sort_by(|one, other| one.name.cmp(&other.name));
    inputs
}

/// Writes an input that fails into the target's folder, and answers with where it is.
pub(crate) fn keep(target: &str, bytes: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let path = folder(target).join(format!("found-{:016x}", hasher.finish()));
    fs::write(&path, bytes).expect("the target's folder can be written");
    path
}
