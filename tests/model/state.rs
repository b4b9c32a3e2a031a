//! What the model's world is made of. Compact, and without counters: versions are told by whether an object is still the one
//! that was read, times by who came later. So the states are finite however long a history is.

use std::fmt;

/// A release, by its place in [`IMAGES`]. The first one serves at the beginning.
pub type Release = u8;

/// The images of the releases.
pub const IMAGES: [&str; 3] = ["shop:a", "shop:b", "shop:c"];

/// A set of releases.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Releases(u8);

impl Releases {
    pub const ALL: Self = Self(0b111);

    pub fn has(self, release: Release) -> bool {
        self.0 & (1 << release) != 0
    }

    pub fn with(self, release: Release) -> Self {
        Self(self.0 | (1 << release))
    }

    pub fn number(self) -> u8 {
        self.0
    }

    pub fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// As the list of approved images has it.
    pub fn text(self) -> String {
        let each = IMAGES.iter().zip(0..).filter(|(_, release)| self.has(*release));
        each.map(|(image, _)| *image).collect::<Vec<_>>().join("\n")
    }

    pub fn of<'a>(images: impl Iterator<Item = &'a str>) -> Self {
        images.fold(Self::default(), |set, image| set.with(release(image)))
    }
}

impl fmt::Debug for Releases {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{{{}}}", self.text().replace("shop:", "").replace('\n', " "))
    }
}

/// The release of an image.
pub fn release(image: &str) -> Release {
    let found = IMAGES.iter().zip(0..).find(|(known, _)| **known == image);
    found.unwrap_or_else(|| panic!("{image:?} is no image of the model")).1
}

/// Who holds a Deployment, as `sluice.dev/held-by` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Held {
    #[default]
    No,
    ByAdmission,
    ByAdmissionAndUser,
}

/// The gated Deployment. Which object it is, and in which version, is in the [`Fence`] of a write that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Deployment {
    pub template: Release,
    /// `spec.replicas`: 0 or 1.
    pub wanted: u8,
    pub approved: Releases,
    pub held: Held,
    pub paused: bool,
}

/// Whose a ReplicaSet is. Rollback's custody (design, section 6) is to be added here, with its steps in `operator.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The Deployment's that is there.
    Deployment,
    /// Nobody's, since its Deployment was deleted without it: the next Deployment takes it.
    Nobody,
    /// A Deployment's that is gone: the garbage collector takes it.
    Gone,
}

/// A ReplicaSet. There is one for a release, under a name that follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaSet {
    pub release: Release,
    pub owner: Owner,
    /// `spec.replicas`.
    pub wanted: u8,
    /// Pods that are there, and ready.
    pub present: u8,
    /// Whether its copy of the list of approved images has its own; none where it has no copy.
    pub listed: Option<bool>,
}

/// A ControllerRevision with the ReplicaSet of a release that was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    pub number: u8,
    pub release: Release,
}

/// A MigrationRun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// `spec.image`.
    pub image: Release,
    /// Whether a retry is asked for and not taken yet.
    pub token: bool,
    /// How the check Job of the active attempt has ended.
    pub answer: Option<bool>,
    /// When its release was taken up: of two runs the later one has 2.
    pub queued: u8,
    /// The same of when it was last seen clean.
    pub cleaned: u8,
    pub record: Record,
}

/// What of a run's status bears on its decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// The release that was taken up.
    pub release: Option<Release>,
    /// The one that the database was last seen clean with.
    pub clean: Option<Release>,
    /// The release's last attempt.
    pub attempt: Attempt,
    /// Where that one has none: the last attempt of all was not clean.
    pub dirty: bool,
    /// A failed one is tried again.
    pub again: bool,
}

/// An attempt on record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Attempt {
    #[default]
    None,
    /// Under way. That a migration starts once is shown elsewhere (`tests/crash`, `src/decide/tests/world.rs`).
    Active,
    Clean,
    Failed,
}

/// Whether an object is still as it was when a write to it was decided: what uid and resourceVersion are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fence {
    /// It is.
    Current,
    /// Somebody has written to it.
    Changed,
    /// It was deleted.
    Gone,
}

/// What a cache that is behind has of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cached {
    pub run: Option<Run>,
    /// Whether the run is still in that version.
    pub version: Fence,
    /// Whether it is still that run, in that generation.
    pub generation: Fence,
}

/// A write of the operator that waits to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Write {
    /// Not a write, but the look before an approval: whether the run is still there, in that generation. It takes its own time.
    Confirm {
        slot: usize,
        fence: Fence,
    },
    Approve {
        approved: Releases,
        fence: Fence,
    },
    /// What the rule says of the Deployment, where it does not say so itself.
    Rule {
        sent: Deployment,
        fence: Fence,
    },
    Record {
        slot: usize,
        record: Record,
        taken_up: bool,
        cleaned: bool,
        token: bool,
        fence: Fence,
    },
    DeleteSet {
        release: Release,
        fence: Fence,
    },
    /// Without a version of the Deployment, but with its uid as the owner.
    RestoreSet {
        release: Release,
        wanted: u8,
        listed: bool,
        owner: Fence,
    },
    Keep(Kept),
    Drop(Kept),
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub deployment: Option<Deployment>,
    /// The oldest first.
    pub sets: Vec<ReplicaSet>,
    /// The newest first.
    pub kept: Vec<Kept>,
    pub runs: Vec<Option<Run>>,
    /// The releases whose migrations the database has: the truth, which nobody reads.
    pub clean: Releases,
    /// What the live replica has yet to write of its pass; it may crash instead.
    pub live: Vec<Write>,
    /// The same of the replica that stalls: it may go on at any time.
    pub stalled: Vec<Write>,
    /// What the stalled replica's cache has of the runs, where that is older than what it has of the Deployment.
    pub cached: Option<Vec<Cached>>,
    /// What a step has broken.
    pub broken: Option<&'static str>,
}

impl State {
    /// The ReplicaSets of the Deployment that is there.
    pub fn owned(&self) -> impl DoubleEndedIterator<Item = &ReplicaSet> {
        self.sets.iter().filter(|set| set.owner == Owner::Deployment)
    }

    /// Whether a release that the database has serves: it has its pod, and is to have it.
    pub fn serves(&self) -> bool {
        let mut sets = self.sets.iter().filter(|set| set.owner != Owner::Gone);
        sets.any(|set| set.wanted > 0 && set.present > 0 && self.clean.has(set.release))
    }

    /// Makes what is the same look the same, and puts an end to passes whose next write has lost its premise.
    pub fn settle(&mut self, before: &Self, fenced: bool) {
        let gone = before.deployment.is_some() && self.deployment.is_none();
        let changed = before.deployment != self.deployment;
        let worse = |fence: &mut Fence, changed: bool, gone: bool| match fence {
            Fence::Gone => {}
            _ if gone => *fence = Fence::Gone,
            _ if changed => *fence = Fence::Changed,
            _ => {}
        };
        let run = |slot: usize| {
            (before.runs[slot] != self.runs[slot], before.runs[slot].is_some() && self.runs[slot].is_none())
        };
        let image = |runs: &[Option<Run>], slot: usize| runs[slot].map(|run| run.image);
        let set = |state: &Self, release| state.sets.iter().find(|set| set.release == release).copied();
        let changed_sets: Vec<bool> = (0..3).map(|release| set(before, release) != set(self, release)).collect();
        let changed_runs: Vec<(bool, bool)> = (0..self.runs.len()).map(run).collect();
        let changed_specs: Vec<bool> =
            (0..self.runs.len()).map(|slot| image(&before.runs, slot) != image(&self.runs, slot)).collect();
        for write in self.live.iter_mut().chain(&mut self.stalled) {
            match write {
                Write::Confirm { slot, fence } => worse(fence, changed_specs[*slot], changed_runs[*slot].1),
                Write::Approve { fence, .. } | Write::Rule { fence, .. } => worse(fence, changed, gone),
                Write::Record { slot, fence, .. } => worse(fence, changed_runs[*slot].0, changed_runs[*slot].1),
                Write::DeleteSet { release, fence } => worse(fence, changed_sets[usize::from(*release)], false),
                Write::RestoreSet { owner, .. } => worse(owner, false, gone),
                Write::Keep(_) | Write::Drop(_) => {}
            }
        }
        for (slot, cached) in self.cached.iter_mut().flatten().enumerate() {
            worse(&mut cached.version, changed_runs[slot].0, changed_runs[slot].1);
            worse(&mut cached.generation, changed_specs[slot], changed_runs[slot].1);
        }
        if fenced {
            for writes in [&mut self.live, &mut self.stalled] {
                let end = writes.iter().position(|write| write.is_void(&self.kept)).unwrap_or(writes.len());
                writes.truncate(end);
            }
        }
        self.renumber();
        self.rank();
    }

    /// Numbers of what is kept, without gaps: a new one follows upon the newest, so only their order says anything.
    fn renumber(&mut self) {
        let writes = self.live.iter_mut().chain(&mut self.stalled).filter_map(|write| match write {
            Write::Keep(kept) | Write::Drop(kept) => Some(kept),
            _ => None,
        });
        let mut all: Vec<&mut u8> = writes.chain(&mut self.kept).map(|kept| &mut kept.number).collect();
        all.sort();
        let (mut old, mut new) = (0, 0);
        for number in all {
            new += (*number - old).min(1);
            (old, *number) = (*number, new);
        }
        self.kept.sort_by_key(|kept| std::cmp::Reverse((kept.number, kept.release)));
    }

    fn rank(&mut self) {
        let rank_by = |runs: &mut Vec<Option<Run>>, of: fn(&mut Run) -> &mut u8| {
            let mut all: Vec<&mut u8> = runs.iter_mut().flatten().map(of).filter(|rank| **rank > 0).collect();
            all.sort();
            all.into_iter().zip(1..).for_each(|(rank, place)| *rank = place);
        };
        rank_by(&mut self.runs, |run| &mut run.queued);
        rank_by(&mut self.runs, |run| &mut run.cleaned);
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |release: Release| IMAGES[usize::from(release)].trim_start_matches("shop:");
        match &self.deployment {
            Some(it) => write!(
                out,
                "{} x{} {:?}{} approved {:?}",
                letter(it.template),
                it.wanted,
                it.held,
                if it.paused { " paused" } else { "" },
                it.approved
            )?,
            None => write!(out, "no Deployment")?,
        }
        for set in &self.sets {
            let ReplicaSet { owner, wanted, present, listed, .. } = set;
            write!(out, " | set {} {present}/{wanted} {owner:?} listed {listed:?}", letter(set.release))?;
        }
        for kept in &self.kept {
            write!(out, " | kept {} {}", kept.number, letter(kept.release))?;
        }
        for run in self.runs.iter().flatten() {
            let Run { token, answer, queued, cleaned, record, .. } = run;
            let [of, clean] = [record.release, record.clean].map(|release| release.map(letter));
            write!(out, " | run {} queued {queued} cleaned {cleaned}: {of:?} {:?}", letter(run.image), record.attempt)?;
            write!(
                out,
                " clean {clean:?} dirty {} again {} token {token} answer {answer:?}",
                record.dirty, record.again
            )?;
        }
        write!(out, " | database {:?} | live {:?} | stalled {:?}", self.clean, self.live, self.stalled)?;
        write!(out, "{}", if self.cached.is_some() { " | cached" } else { "" })
    }
}

impl Write {
    /// Whether the API server would refuse it for good, since what it rests on has changed.
    fn is_void(&self, kept: &[Kept]) -> bool {
        match self {
            Self::Drop(old) => !kept.contains(old),
            Self::Confirm { fence, .. }
            | Self::Approve { fence, .. }
            | Self::Rule { fence, .. }
            | Self::Record { fence, .. }
            | Self::DeleteSet { fence, .. } => *fence != Fence::Current,
            Self::RestoreSet { .. } | Self::Keep(_) => false,
        }
    }
}
