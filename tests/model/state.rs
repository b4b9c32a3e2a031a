//! What the model's world is made of. Compact, and without counters: versions are told by whether an object is still the one
//! that was read, times by who came later. So the states are finite however long a history is.

use std::fmt;

use super::write::{Fence, Write};

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

    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
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

/// Whose a ReplicaSet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The Deployment's that is there.
    Deployment,
    /// Nobody's, since its Deployment was deleted without it: the next Deployment takes it.
    Nobody,
    /// A Deployment's that is gone: the garbage collector takes it.
    Gone,
    /// In custody: the Deployment does not see it, and takes it along when it is deleted.
    Custody,
    /// In custody of a Deployment that was deleted without it.
    Stray,
}

/// Which ReplicaSet. Its name follows from its release; where one in custody has that, the controller goes on to another, for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    pub release: Release,
    /// 0 for the name that a new one has.
    pub name: u8,
}

impl Id {
    /// A name that no other has had; `State::settle` makes it the one that a new one has.
    pub const ANOTHER: u8 = u8::MAX;
}

/// For which rollback a ReplicaSet is in custody, or was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The run that has it on record; none where there is another on record by now.
    pub of: Option<usize>,
    /// The release before did not come up in time.
    pub failed: bool,
}

/// A ReplicaSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaSet {
    pub release: Release,
    pub name: u8,
    pub owner: Owner,
    /// `spec.replicas`.
    pub wanted: u8,
    /// Pods that are there, and ready.
    pub present: u8,
    /// Whether its copy of the list of approved images has its own; none where it has no copy.
    pub listed: Option<bool>,
    pub mark: Mark,
}

impl ReplicaSet {
    pub fn id(&self) -> Id {
        Id { release: self.release, name: self.name }
    }

    /// Whether it has a pod and is to have it.
    pub fn has_pod(&self) -> bool {
        self.wanted > 0 && self.present > 0
    }
}

/// A ControllerRevision with the ReplicaSet of a release that was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    pub number: u8,
    pub set: Id,
}

/// A MigrationRun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// `spec.image`.
    pub image: Release,
    /// Whether a retry is asked for and not taken yet.
    pub token: bool,
    /// The same of a rollback.
    pub wish: bool,
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
    /// The last rollback.
    pub back: Option<Back>,
}

/// A rollback on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Back {
    /// What was rolled back; nothing where that was lifted.
    pub from: Releases,
    /// Whether it was the release on record that was.
    pub current: bool,
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

/// What a cache that is behind has of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cached {
    pub run: Option<Run>,
    /// Whether the run is still in that version.
    pub version: Fence,
    /// Whether it is still that run, in that generation.
    pub generation: Fence,
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
    /// Whether what is in custody has been there for as long as a release may take to come up.
    pub overdue: bool,
    /// What a step has broken.
    pub broken: Option<&'static str>,
}

impl State {
    /// The ReplicaSets of the Deployment that is there.
    pub fn owned(&self) -> impl DoubleEndedIterator<Item = &ReplicaSet> {
        self.sets.iter().filter(|set| set.owner == Owner::Deployment)
    }

    /// Those in its custody.
    pub fn in_custody(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.sets.iter().filter(|set| set.owner == Owner::Custody)
    }

    /// Whether a release that the database has serves: it has its pod, and is to have it.
    pub fn serves(&self) -> bool {
        let mut sets = self.sets.iter().filter(|set| set.owner != Owner::Gone);
        sets.any(|set| set.has_pod() && self.clean.has(set.release))
    }

    /// What was rolled back and is not let go again.
    pub fn rolled_back(&self) -> Releases {
        let records = self.runs.iter().flatten().filter_map(|run| run.record.back);
        records.fold(Releases::default(), |all, back| all.and(back.from))
    }

    /// Another rollback is on record for the run than what ReplicaSets are marked with.
    pub fn outdate(&mut self, slot: usize) {
        let waiting = self.live.iter_mut().chain(&mut self.stalled).filter_map(|write| match write {
            Write::Rewrite { mark, .. } => Some(mark),
            _ => None,
        });
        let marks = waiting.chain(self.sets.iter_mut().map(|set| &mut set.mark));
        marks.filter(|mark| mark.of == Some(slot)).for_each(|mark| mark.of = None);
    }

    /// Makes what is the same look the same, and puts an end to passes whose next write has lost its premise.
    pub fn settle(&mut self, before: &Self, fenced: bool) {
        super::write::settle(self, before, fenced);
        let waits = self.in_custody().next().is_some();
        self.overdue &= waits;
        // An old mark says something in custody alone.
        let unmarked = self.sets.iter_mut().filter(|set| set.owner != Owner::Custody && set.mark.of.is_none());
        unmarked.for_each(|set| set.mark = Mark::default());
        self.renumber();
        self.rename();
        self.rank();
    }

    /// Names of ReplicaSets, wherever they are, in a fixed order.
    fn names(&mut self) -> Vec<(Release, &mut u8)> {
        let written = self.live.iter_mut().chain(&mut self.stalled).filter_map(Write::set);
        let ids = self.kept.iter_mut().map(|kept| &mut kept.set).chain(written);
        let sets = self.sets.iter_mut().map(|set| (set.release, &mut set.name));
        sets.chain(ids.map(|id| (id.release, &mut id.name))).collect()
    }

    /// What has a name that is another's by now is called otherwise; of such names only whether two are the same says anything.
    fn rename(&mut self) {
        if let Some(new) = self.sets.iter().find(|set| set.name == Id::ANOTHER).map(|set| set.release) {
            for (_, name) in self.names().into_iter().filter(|(release, _)| *release == new) {
                *name = if *name == Id::ANOTHER { 0 } else { *name + 1 };
            }
        }
        let mut old: Vec<(Release, &mut u8)> = self.names().into_iter().filter(|(_, name)| **name > 0).collect();
        let mut known: Vec<(Release, u8)> = Vec::new();
        for (release, name) in &mut old {
            let its = (*release, **name);
            known.extend((!known.contains(&its)).then_some(its));
            let before = known.iter().take_while(|one| **one != its).filter(|one| one.0 == *release).count();
            **name = u8::try_from(before + 1).expect("a small number");
        }
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
        self.kept.sort_by_key(|kept| std::cmp::Reverse((kept.number, kept.set.release, kept.set.name)));
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
            let ReplicaSet { name, owner, wanted, present, listed, mark, .. } = set;
            write!(out, " | set {}{name} {present}/{wanted} {owner:?} listed {listed:?}", letter(set.release))?;
            write!(out, "{}", if *mark == Mark::default() { String::new() } else { format!(" {mark:?}") })?;
        }
        for kept in &self.kept {
            write!(out, " | kept {} {}{}", kept.number, letter(kept.set.release), kept.set.name)?;
        }
        for run in self.runs.iter().flatten() {
            let Run { token, wish, answer, queued, cleaned, record, .. } = run;
            let [of, clean] = [record.release, record.clean].map(|release| release.map(letter));
            write!(out, " | run {} queued {queued} cleaned {cleaned}: {of:?} {:?}", letter(run.image), record.attempt)?;
            write!(
                out,
                " clean {clean:?} dirty {} again {} token {token} wish {wish} answer {answer:?} back {:?}",
                record.dirty, record.again, record.back
            )?;
        }
        write!(out, " | database {:?} | live {:?} | stalled {:?}", self.clean, self.live, self.stalled)?;
        write!(out, "{}", if self.cached.is_some() { " | cached" } else { "" })?;
        write!(out, "{}", if self.overdue { " | overdue" } else { "" })
    }
}
