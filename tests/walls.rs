//! Keeps the walls between the rooms that `ARCHITECTURE.md` draws.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(room: &str) -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(room), &mut found);
    assert!(!found.is_empty(), "{room} is empty");
    found
}

#[test]
fn pure_rooms_know_no_client_no_async_and_no_clock() {
    let banned = [
        "kube::Client",
        "kube::Api",
        "Client,",
        "tokio::",
        "async fn",
        ".await",
        "::now()",
        "Instant",
        "crate::runtime",
    ];
    for room in ["decide", "classify", "build", "gate", "status"] {
        for (path, text) in sources(room) {
            for word in banned {
                assert!(!text.contains(word), "{} has {word}", path.display());
            }
        }
    }
}

#[test]
fn only_apply_and_the_lease_write() {
    let writes = [".create(&", ".patch(&", ".replace(&", ".replace_status(&", ".patch_status(&", ".delete(&"];
    for room in ["api", "build", "classify", "cli", "decide", "gate", "observe", "status"] {
        for (path, text) in sources(room) {
            for write in writes {
                assert!(!text.contains(write), "{} writes: {write}", path.display());
            }
        }
    }
}
