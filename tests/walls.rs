//! Keeps the walls between the rooms that `ARCHITECTURE.md` draws.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
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
    for room in ["decide", "classify", "build", "gate", "status", "cli/view", "cli/lint"] {
        for (path, text) in sources(room) {
            for word in banned {
                assert!(!text.contains(word), "{} has {word}", path.display());
            }
        }
    }
}

/// Who writes besides `apply`, each what belongs to it alone: leadership, the webhook's own configuration, and word to a run
/// that cannot be read.
const WRITERS: [&str; 5] = [
    "runtime/lease.rs",
    "runtime/webhook/keeper.rs",
    "controller/malformed.rs",
    // With the caller's own rights: a wish, and the question what the caller may do.
    "cli/plugin/ask.rs",
    "cli/plugin/rights.rs",
];

#[test]
fn only_apply_writes_and_who_is_named() {
    let writes = [".create(&", ".patch(&", ".replace(&", ".replace_status(&", ".patch_status(&", ".delete(&"];
    let rooms = ["api", "build", "classify", "cli", "controller", "decide", "gate", "observe", "runtime", "status"];
    let mut found = BTreeSet::new();
    let shipped = rooms.into_iter().flat_map(sources).filter(|(path, _)| !path.ends_with("tests.rs"));
    for (path, text) in shipped {
        let writer = WRITERS.into_iter().find(|writer| path.ends_with(writer));
        let its: Vec<_> = writes.into_iter().filter(|write| text.contains(write)).collect();
        assert!(its.is_empty() || writer.is_some(), "{} writes: {its:?}", path.display());
        found.extend(writer.filter(|_| !its.is_empty()));
    }
    assert_eq!(found, BTreeSet::from(WRITERS), "one that is named writes nothing");
}
