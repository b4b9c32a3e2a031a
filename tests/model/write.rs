//! What the operator writes, and whether what it rests on is still so when it is written.

use super::Mutation;
use super::api::{Api, may_grow};
use super::state::*;

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
        /// Which wishes of people it takes: a retry, a rollback.
        token: bool,
        wish: bool,
        /// Whether it is another rollback than the one before.
        rolled_back: bool,
        fence: Fence,
    },
    /// It takes images off the list, without a look at the run.
    Revoke {
        approved: Releases,
        fence: Fence,
    },
    DeleteSet {
        set: Id,
        fence: Fence,
    },
    /// Takes a ReplicaSet into custody, scales it there, or gives it back.
    Rewrite {
        set: Id,
        owner: Owner,
        wanted: u8,
        mark: Mark,
        fence: Fence,
    },
    /// Without a version of the Deployment, but with its uid as the owner.
    RestoreSet {
        set: Id,
        wanted: u8,
        listed: bool,
        owner: Fence,
    },
    Keep(Kept),
    Drop(Kept),
}

impl Write {
    /// The ReplicaSet that it is about.
    pub fn set(&mut self) -> Option<&mut Id> {
        match self {
            Self::DeleteSet { set, .. } | Self::Rewrite { set, .. } | Self::RestoreSet { set, .. } => Some(set),
            Self::Keep(kept) | Self::Drop(kept) => Some(&mut kept.set),
            Self::Confirm { .. }
            | Self::Approve { .. }
            | Self::Revoke { .. }
            | Self::Rule { .. }
            | Self::Record { .. } => None,
        }
    }

    /// Whether the API server would refuse it for good, since what it rests on has changed.
    fn is_void(&self, kept: &[Kept]) -> bool {
        match self {
            Self::Drop(old) => !kept.contains(old),
            Self::Confirm { fence, .. }
            | Self::Approve { fence, .. }
            | Self::Rule { fence, .. }
            | Self::Record { fence, .. }
            | Self::Revoke { fence, .. }
            | Self::DeleteSet { fence, .. }
            | Self::Rewrite { fence, .. } => *fence != Fence::Current,
            Self::RestoreSet { .. } | Self::Keep(_) => false,
        }
    }
}

impl Write {
    /// Makes it; none where the API server refuses it.
    pub fn make(self, next: &mut State, api: &Api, mutation: Mutation) -> Option<()> {
        match self {
            Self::Confirm { fence, .. } => {
                let confirmed = fence == Fence::Current || mutation == Mutation::ApprovesUnasked;
                return confirmed.then_some(());
            }
            Self::Approve { approved, fence } => {
                let let_in = match mutation {
                    Mutation::ApprovesBlindly => true,
                    Mutation::ApprovesAnyVersion => fence != Fence::Gone,
                    _ => fence == Fence::Current,
                };
                list(next, api, mutation, approved, let_in)?;
            }
            Self::Revoke { approved, fence } => {
                let let_in = fence == Fence::Current || mutation == Mutation::RevokesBlindly;
                list(next, api, mutation, approved, let_in)?;
            }
            Self::Rule { sent, fence } => {
                let old = next.deployment.filter(|_| fence == Fence::Current)?;
                next.deployment = Some(api.admit(mutation, Some(old), sent, true)?);
            }
            Self::Record { slot, record, taken_up, cleaned, token, wish, rolled_back, fence } => {
                let run = next.runs[slot].as_mut().filter(|_| fence == Fence::Current)?;
                run.record = record;
                // The last of all; `State::settle` gives it its place.
                run.queued = if taken_up { u8::MAX } else { run.queued };
                run.cleaned = if cleaned { u8::MAX } else { run.cleaned };
                run.token &= !token;
                run.wish &= !wish;
                run.answer = run.answer.filter(|_| record.attempt == Attempt::Active);
                if rolled_back {
                    next.outdate(slot);
                }
            }
            Self::DeleteSet { set, fence } => {
                let place = next.sets.iter().position(|there| there.id() == set)?;
                let blindly = mutation == Mutation::DropsCustodyBlindly && next.sets[place].owner == Owner::Custody;
                (fence == Fence::Current || blindly).then(|| next.sets.remove(place))?;
            }
            Self::Rewrite { set, owner, wanted, mark, fence } => {
                let there = next.sets.iter_mut().find(|there| there.id() == set)?;
                let blindly = mutation == Mutation::ScalesCustodyBlindly && there.owner == owner;
                let there = (fence == Fence::Current || blindly).then_some(there)?;
                *there = ReplicaSet { owner, wanted, mark, ..*there };
            }
            Self::RestoreSet { set: Id { release, name }, wanted, listed, owner } => {
                let owner = if owner == Fence::Gone { Owner::Gone } else { Owner::Deployment };
                let mark = Mark::default();
                let set = ReplicaSet { release, name, owner, wanted, present: 0, listed: Some(listed), mark };
                let taken = next.sets.iter().any(|there| there.id() == set.id());
                if taken || (wanted > 0 && !may_grow(mutation, &set)) {
                    return None;
                }
                next.sets.push(set);
            }
            Self::Keep(kept) if next.kept.contains(&kept) => {}
            Self::Keep(kept) => next.kept.push(kept),
            Self::Drop(kept) => {
                let place = next.kept.iter().position(|there| *there == kept)?;
                next.kept.remove(place);
            }
        }
        Some(())
    }
}

/// A list of approved images, written by the operator.
fn list(next: &mut State, api: &Api, mutation: Mutation, approved: Releases, let_in: bool) -> Option<()> {
    let old = next.deployment.filter(|_| let_in)?;
    next.deployment = Some(api.admit(mutation, Some(old), Deployment { approved, ..old }, true)?);
    Some(())
}

/// Makes what waits to be written know what has changed, and puts an end to passes whose next write has lost its premise.
pub fn settle(state: &mut State, before: &State, fenced: bool) {
    let State { deployment, sets, kept, runs, live, stalled, cached, .. } = state;
    let gone = before.deployment.is_some() && deployment.is_none();
    let changed = before.deployment != *deployment;
    let worse = |fence: &mut Fence, changed: bool, gone: bool| match fence {
        Fence::Gone => {}
        _ if gone => *fence = Fence::Gone,
        _ if changed => *fence = Fence::Changed,
        _ => {}
    };
    let run = |slot: usize| (before.runs[slot] != runs[slot], before.runs[slot].is_some() && runs[slot].is_none());
    let image = |runs: &[Option<Run>], slot: usize| runs[slot].map(|run| run.image);
    let spec = |slot: usize| image(&before.runs, slot) != image(runs, slot);
    // Whose its mark is is not written on it, but is what the run's record makes of it.
    let written = |set: &ReplicaSet| ReplicaSet { mark: Mark { of: None, ..set.mark }, ..*set };
    let there = |sets: &[ReplicaSet], id: Id| sets.iter().find(|set| set.id() == id).map(written);
    let set = |id: Id| there(&before.sets, id) != there(sets, id);
    for write in live.iter_mut().chain(&mut *stalled) {
        match write {
            Write::Confirm { slot, fence } => worse(fence, spec(*slot), run(*slot).1),
            Write::Approve { fence, .. } | Write::Revoke { fence, .. } | Write::Rule { fence, .. } => {
                worse(fence, changed, gone);
            }
            Write::Record { slot, fence, .. } => worse(fence, run(*slot).0, run(*slot).1),
            Write::DeleteSet { set: id, fence } | Write::Rewrite { set: id, fence, .. } => {
                worse(fence, set(*id), false)
            }
            Write::RestoreSet { owner, .. } => worse(owner, false, gone),
            Write::Keep(_) | Write::Drop(_) => {}
        }
    }
    for (slot, cached) in cached.iter_mut().flatten().enumerate() {
        worse(&mut cached.version, run(slot).0, run(slot).1);
        worse(&mut cached.generation, spec(slot), run(slot).1);
    }
    if fenced {
        for writes in [live, stalled] {
            let end = writes.iter().position(|write| write.is_void(kept)).unwrap_or(writes.len());
            writes.truncate(end);
        }
    }
}
