//! The page of help for a reason.

use super::reason::Entry;
use super::types::{Branch, Class};

/// The page for a reason, in plain words.
pub fn explain(entry: &Entry) -> String {
    let branch = match entry.branch {
        Branch::A => "Branch A: repair what surrounds the migration, then run the same release again.",
        Branch::B => "Branch B: back the affected rows up, correct them, then run again.",
        Branch::C => "Branch C: stop the rollout and ship a corrected migration in a new release.",
        Branch::ByHand => "By hand: look at the database before anything is run again.",
    };
    let itself = match (entry.retryable, entry.class) {
        (true, Class::Connectivity | Class::Runtime) => {
            "Sluice tries the same release again by itself, with growing pauses."
        }
        (true, _) => {
            "Time alone may help, but a part of the migration may have been executed, so Sluice waits for a person: set the \
             annotation sluice.dev/retry to a new token, or ship another release."
        }
        (false, _) => {
            "Sluice does not try again by itself: it waits for the annotation sluice.dev/retry with a new token, or for \
             another release."
        }
    };
    format!("{} ({})\n\n{}\n\n{}\n{}\n\n{}\n", entry.name, entry.class, entry.meaning, branch, entry.way_out, itself)
}
