//! States as few bits, so that a million of them can be told apart quickly without optimisation.

use std::hash::{Hash, Hasher};

use super::state::*;

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

impl Item for ReplicaSet {
    fn bits(&self, bits: Bits) -> Bits {
        let bits = bits.item(&self.release).number(self.owner as usize, 2).number(usize::from(self.wanted), 1);
        bits.number(usize::from(self.present), 1).item(&self.listed)
    }
}

impl Item for Kept {
    fn bits(&self, bits: Bits) -> Bits {
        bits.number(usize::from(self.number), 4).item(&self.release)
    }
}

impl Item for Run {
    fn bits(&self, bits: Bits) -> Bits {
        let bits = bits.item(&self.image).flag(self.token).item(&self.answer);
        bits.number(usize::from(self.queued), 2).number(usize::from(self.cleaned), 2).item(&self.record)
    }
}

impl Item for Record {
    fn bits(&self, bits: Bits) -> Bits {
        let bits = bits.item(&self.release).item(&self.clean).number(self.attempt as usize, 2);
        bits.flag(self.dirty).flag(self.again)
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
            Self::Confirm { slot, fence } => bits.number(7, 3).number(*slot, 1).item(fence),
            Self::Approve { approved, fence } => bits.number(0, 3).item(approved).item(fence),
            Self::Rule { sent, fence } => bits.number(6, 3).item(sent).item(fence),
            Self::Record { slot, record, taken_up, cleaned, token, fence } => {
                let bits = bits.number(1, 3).number(*slot, 1).item(record).flag(*taken_up);
                bits.flag(*cleaned).flag(*token).item(fence)
            }
            Self::DeleteSet { release, fence } => bits.number(2, 3).item(release).item(fence),
            Self::RestoreSet { release, wanted, listed, owner } => {
                bits.number(3, 3).item(release).number(usize::from(*wanted), 1).flag(*listed).item(owner)
            }
            Self::Keep(kept) => bits.number(4, 3).item(kept),
            Self::Drop(kept) => bits.number(5, 3).item(kept),
        }
    }
}

impl State {
    /// The whole state.
    pub fn bits(&self) -> [u128; 2] {
        let world = Bits::default().item(&self.deployment).list(&self.sets).list(&self.kept).list(&self.runs);
        let operator = Bits::default().list(&self.live).list(&self.stalled).flag(self.cached.is_some());
        let operator = self.cached.as_ref().map_or(operator, |cached| operator.list(cached));
        [world.item(&self.clean).0, operator.flag(self.broken.is_some()).0]
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.bits().hash(hasher);
    }
}
