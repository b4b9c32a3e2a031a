//! Whether this replica leads, as anybody in the process can ask at any moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

/// Whether this replica leads; clones share it.
#[derive(Debug, Clone)]
pub struct Leadership {
    clock: Arc<Deadline>,
    changes: watch::Receiver<bool>,
}

impl Leadership {
    /// Whether this replica leads now, by the monotonic clock, which goes on while a process is stopped: one that was
    /// frozen past its deadline and thawed sees that it leads no more before anything else in it has run.
    ///
    /// It costs one atomic load and a look at the clock: ask before every write.
    pub fn holds(&self) -> bool {
        self.clock.until().is_some_and(|until| Instant::now() < until)
    }

    /// Becomes true with the acquisition, and false for good when it ends.
    pub fn changes(&self) -> watch::Receiver<bool> {
        self.changes.clone()
    }

    /// Resolves when this replica leads. Never, where its election has ended before.
    pub async fn acquired(&self) {
        if self.changes.clone().wait_for(|leads| *leads).await.is_err() {
            std::future::pending().await
        }
    }

    /// Resolves when this replica does not lead, or not any more.
    pub async fn lost(&self) {
        let _ = self.changes.clone().wait_for(|leads| !*leads).await;
    }
}

/// The election's side of a [`Leadership`].
#[derive(Debug)]
pub(super) struct Tenure {
    clock: Arc<Deadline>,
    changes: watch::Sender<bool>,
}

impl Tenure {
    pub(super) fn new() -> Self {
        let clock = Arc::new(Deadline { base: Instant::now(), until: AtomicU64::new(0) });
        Self { clock, changes: watch::Sender::new(false) }
    }

    pub(super) fn leadership(&self) -> Leadership {
        Leadership { clock: self.clock.clone(), changes: self.changes.subscribe() }
    }

    /// Time since this tenure was made.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.base.elapsed()
    }

    /// What [`Tenure::elapsed`] returns at `later`.
    pub(super) fn at(&self, later: Duration) -> Option<Instant> {
        self.clock.base.checked_add(later)
    }

    /// Until when it was held last.
    pub(super) fn until(&self) -> Option<Instant> {
        self.clock.until()
    }

    /// Held until then.
    pub(super) fn extend(&self, until: Instant) {
        let nanos = until.saturating_duration_since(self.clock.base).as_nanos();
        self.clock.until.store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Release);
        self.tell(Instant::now() < until);
    }

    /// Held no more.
    pub(super) fn end(&self) {
        self.clock.until.store(0, Ordering::Release);
        self.tell(false);
    }

    fn tell(&self, leads: bool) {
        self.changes.send_if_modified(|told| std::mem::replace(told, leads) != leads);
    }
}

/// A moment of the monotonic clock; zero for none.
#[derive(Debug)]
struct Deadline {
    base: Instant,
    until: AtomicU64,
}

impl Deadline {
    fn until(&self) -> Option<Instant> {
        match self.until.load(Ordering::Acquire) {
            0 => None,
            nanos => self.base.checked_add(Duration::from_nanos(nanos)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_by_the_clock_alone() {
        let tenure = Tenure::new();
        let leadership = tenure.leadership();
        assert!(!leadership.holds());
        tenure.extend(Instant::now() + Duration::from_secs(10));
        assert!(leadership.holds());
        leadership.acquired().await;
        tokio::time::advance(Duration::from_millis(9_999)).await;
        assert!(leadership.holds());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!leadership.holds(), "nobody has called end()");
        tenure.end();
        leadership.lost().await;
    }
}
