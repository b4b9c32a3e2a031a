//! States as few bits, so that a million of them can be told apart quickly without optimisation.

use std::hash::{Hash, Hasher};

use super::state::*;
use super::write::{Fence, Write};

/// Bits, with the last that came in lowest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bits(pub u128);

/// What can be written in bits.
pub trait Item {
    fn bits(&self, bits: Bits) -> Bits;
}

impl Bits {
    pub fn number(self, value: usize, width: u32) -> Self {
        assert!(value >> width == 0 && self.0.leading_zeros() >= width, "{value} is too much for {width} of {self:?}");
        Self((self.0 << width) | value as u128)
    }

    pub fn flag(self, flag: bool) -> Self {
        self.number(usize::from(flag), 1)
    }

    pub fn item<I: Item>(self, item: &I) -> Self {
        item.bits(self)
    }

    /// With a mark before each, so that none is told from some.
    pub fn list<I: Item>(self, items: &[I]) -> Self {
        items.iter().fold(self.number(items.len() + 1, 3), |bits, item| bits.item(item))
    }
}

impl<I: Item> Item for Option<I> {
    fn bits(&self, bits: Bits) -> Bits {
        match self {
            Some(item) => bits.flag(true).item(item),
            None => bits.flag(false),
        }
    }
}

impl Item for bool {
    fn bits(&self, bits: Bits) -> Bits {
        bits.flag(*self)
    }
}

impl Item for Release {
    fn bits(&self, bits: Bits) -> Bits {
        bits.number(usize::from(*self), 2)
    }
}

impl Item for Releases {
    fn bits(&self, bits: Bits) -> Bits {
        bits.number(usize::from(self.number()), 3)
    }
}

impl Item for Deployment {
    fn bits(&self, bits: Bits) -> Bits {
        let bits = bits.item(&self.template).number(usize::from(self.wanted), 1).item(&self.approved);
        bits.number(self.held as usize, 2).flag(self.paused)
    }
}

impl Item for Id {
    fn bits(&self, bits: Bits) -> Bits {
        bits.item(&self.release).number(usize::from(self.name), 2)
    }
}

impl Item for Owner {
    fn bits(&self, bits: Bits) -> Bits {
        bits.number(*self as usize, 3)
    }
}

impl Item for Mark {
    fn bits(&self, bits: Bits) -> Bits {
        bits.number(self.of.map_or(0, |slot| slot + 1), 2).flag(self.failed)
    }
}

impl Item for ReplicaSet {
    fn bits(&self, bits: Bits) -> Bits {
        let bits = bits.item(&self.id()).item(&self.owner).number(usize::from(self.wanted), 1);
        bits.number(usize::from(self.present), 1).item(&self.listed).item(&self.mark)
    }
}

impl Item for Kept {
    fn bits(&self, bits: Bits) -> Bits {
        bits.number(usize::from(self.number), 4).item(&self.set)
    }
}

impl Item for Run {
    fn bits(&self, bits: Bits) -> Bits {
        let bits = bits.item(&self.image).flag(self.token).flag(self.wish).item(&self.answer);
        bits.number(usize::from(self.queued), 2).number(usize::from(self.cleaned), 2).item(&self.record)
    }
}

impl Item for Record {
    fn bits(&self, bits: Bits) -> Bits {
        let bits = bits.item(&self.release).item(&self.clean).number(self.attempt as usize, 2);
        bits.flag(self.dirty).flag(self.again).item(&self.back)
    }
}

impl Item for Back {
    fn bits(&self, bits: Bits) -> Bits {
        bits.item(&self.from).flag(self.current)
    }
}

impl Item for Fence {
    fn bits(&self, bits: Bits) -> Bits {
        bits.number(*self as usize, 2)
    }
}

impl Item for Cached {
    fn bits(&self, bits: Bits) -> Bits {
        bits.item(&self.run).item(&self.version).item(&self.generation)
    }
}

impl Item for Write {
    fn bits(&self, bits: Bits) -> Bits {
        match self {
            Self::Approve { approved, fence } => bits.number(0, 4).item(approved).item(fence),
            Self::Record { slot, record, taken_up, cleaned, token, wish, rolled_back, fence } => {
                let bits = bits.number(1, 4).number(*slot, 1).item(record).flag(*taken_up).flag(*cleaned);
                bits.flag(*token).flag(*wish).flag(*rolled_back).item(fence)
            }
            Self::DeleteSet { set, fence } => bits.number(2, 4).item(set).item(fence),
            Self::RestoreSet { set, wanted, listed, owner } => {
                bits.number(3, 4).item(set).number(usize::from(*wanted), 1).flag(*listed).item(owner)
            }
            Self::Keep(kept) => bits.number(4, 4).item(kept),
            Self::Drop(kept) => bits.number(5, 4).item(kept),
            Self::Rule { sent, fence } => bits.number(6, 4).item(sent).item(fence),
            Self::Confirm { slot, fence } => bits.number(7, 4).number(*slot, 1).item(fence),
            Self::Revoke { approved, fence } => bits.number(8, 4).item(approved).item(fence),
            Self::Rewrite { set, owner, wanted, mark, fence } => {
                bits.number(9, 4).item(set).item(owner).number(usize::from(*wanted), 1).item(mark).item(fence)
            }
        }
    }
}

impl State {
    /// The whole state.
    pub fn bits(&self) -> [u128; 3] {
        let world = Bits::default().item(&self.deployment).list(&self.sets).list(&self.kept).item(&self.clean);
        let runs = Bits::default().list(&self.runs).flag(self.cached.is_some());
        let runs = self.cached.as_ref().map_or(runs, |cached| runs.list(cached));
        let operator = Bits::default().list(&self.live).list(&self.stalled);
        [world.flag(self.overdue).flag(self.broken.is_some()).0, runs.0, operator.0]
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.bits().hash(hasher);
    }
}
