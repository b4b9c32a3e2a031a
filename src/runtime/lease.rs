//! Leader election by a `coordination.k8s.io/v1` Lease.
//!
//! - Every write carries the resourceVersion that was read, so of two candidates one gets 409; so do the late writes of
//!   a replica that was frozen.
//! - A leader believes in itself for less time (`renew_deadline`, from the *start* of the last acknowledged request)
//!   than others wait (`duration`, from when they saw the last change), each by its own monotonic clock.
//! - An election ends with the leadership that it won: who lost it does not slip back in with what it knew before.
//!
//! Leadership spares work; it fences nothing. What two leaders could do wrong is prevented where it is done.

mod leadership;
mod verdict;

#[cfg(test)]
mod tests;

use std::{pin::pin, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::time::{Instant, sleep_until, timeout_at};

pub use self::{
    leadership::Leadership,
    verdict::{Record, Verdict, evaluate},
};
use self::{leadership::Tenure, verdict::Observer};
use super::clock;

/// The times of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long others wait for a sign of life before they take over.
    pub duration: Duration,
    /// How long a leader leads after the start of its last acknowledged request; shorter than `duration`.
    pub renew_deadline: Duration,
    /// Pause between two requests.
    pub retry: Duration,
}

impl Timing {
    /// The usual proportions: 10 s and 2 s for a duration of 15 s.
    pub fn of(duration: Duration) -> Self {
        Self { duration, renew_deadline: duration * 2 / 3, retry: duration * 2 / 15 }
    }

    /// How long one exchange may take: a leader has time for two.
    fn exchange(&self) -> Duration {
        self.renew_deadline / 2
    }
}

/// How an election ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to end, and gave the Lease back if it held it.
    Released,
    /// It led and does not any more: another took the Lease, or it could not be renewed in time.
    Lost,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("failed to read the lease")]
    Read(#[source] kube::Error),
    #[error("failed to write the lease")]
    Write(#[source] kube::Error),
    #[error("refused to write the lease without a resourceVersion")]
    Unfenced,
}

/// A replica's candidacy.
#[derive(Debug)]
pub struct LeaderElection {
    api: Api<Lease>,
    name: String,
    me: String,
    timing: Timing,
    tenure: Tenure,
    observer: Observer,
    /// Our last acknowledged write.
    held: Option<Lease>,
}

impl LeaderElection {
    /// A candidacy for the Lease `namespace/name` as `identity`, which no other live process may use: a process that
    /// finds its own identity in the Lease goes on where it was, so that a restarted container need not wait.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, timing: Timing) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            me: identity.to_owned(),
            timing,
            tenure: Tenure::new(),
            observer: Observer::default(),
            held: None,
        }
    }

    /// Whether this replica leads.
    pub fn leadership(&self) -> Leadership {
        self.tenure.leadership()
    }

    /// Tries to lead, and keeps leading, until `shutdown` or until the leadership is lost.
    ///
    /// `shutdown` gives the Lease back, so it has to come after the last write of what leads.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Ended {
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                goes_on = self.turn() => if !goes_on {
                    self.tenure.end();
                    tracing::error!(lease = %self.name, identity = %self.me, "lost the lease");
                    return Ended::Lost;
                }
            }
        }
        self.release().await;
        Ended::Released
    }

    /// One exchange with the API server and the pause after it. False when the leadership was lost.
    async fn turn(&mut self) -> bool {
        let started = Instant::now();
        let led_until = self.tenure.until();
        let limit = started + self.timing.exchange();
        let exchange = timeout_at(led_until.map_or(limit, |until| until.min(limit)), self.exchange(started)).await;
        let next = match exchange {
            Ok(Ok(Next::At(next))) => next,
            Ok(Ok(Next::Lost)) => return false,
            Ok(Err(error)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(lease = %self.name, %error, cause, "retrying");
                started + self.timing.retry
            }
            Err(_) => {
                // It may have been committed, so what we hold is to be read again.
                self.held = None;
                tracing::warn!(lease = %self.name, "the API server did not answer in time; retrying");
                started + self.timing.retry
            }
        };
        match self.tenure.until() {
            Some(until) if until <= next => {
                sleep_until(until).await;
                false
            }
            _ => {
                sleep_until(next).await;
                true
            }
        }
    }

    async fn exchange(&mut self, started: Instant) -> Result<Next, Error> {
        let leads = self.tenure.until().is_some();
        let lease = match self.held.take() {
            Some(lease) => Some(lease),
            None => self.api.get_opt(&self.name).await.map_err(Error::Read)?,
        };
        let verdict = self.judge(lease.as_ref());
        if leads && verdict != Verdict::Renew {
            return Ok(Next::Lost);
        }
        let retry = started + self.timing.retry;
        let written = match (verdict, lease) {
            (Verdict::Wait(until), _) => {
                return Ok(Next::At(self.tenure.at(until).map_or(retry, |until| until.min(retry))));
            }
            (_, Some(lease)) => self.replace(self.claimed(lease, verdict)).await?,
            (_, None) => self.create().await?,
        };
        let Some(lease) = written else {
            // Another was faster; who leads looks at once whether that was a late write of its own.
            return Ok(Next::At(if leads { Instant::now() } else { retry }));
        };
        if !leads {
            tracing::info!(lease = %self.name, identity = %self.me, "acquired the lease");
        }
        self.held = Some(lease);
        self.tenure.extend(started + self.timing.renew_deadline);
        Ok(Next::At(retry))
    }

    fn judge(&mut self, lease: Option<&Lease>) -> Verdict {
        let now = self.tenure.elapsed();
        let record = lease.map(Record::from);
        let observed_at = record.as_ref().map_or(now, |record| self.observer.observe(record, now));
        evaluate(record.as_ref(), &self.me, observed_at, now, self.timing.duration)
    }

    /// `lease` as ours, its resourceVersion untouched.
    fn claimed(&self, mut lease: Lease, verdict: Verdict) -> Lease {
        let now = MicroTime(clock::now());
        let spec = lease.spec.get_or_insert_default();
        if verdict == Verdict::Acquire {
            spec.acquire_time = Some(now.clone());
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
        }
        spec.holder_identity = Some(self.me.clone());
        spec.lease_duration_seconds = Some(i32::try_from(self.timing.duration.as_secs()).unwrap_or(i32::MAX));
        spec.renew_time = Some(now);
        lease
    }

    async fn create(&self) -> Result<Option<Lease>, Error> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let spec = LeaseSpec { acquire_time: Some(MicroTime(clock::now())), ..LeaseSpec::default() };
        let lease = self.claimed(Lease { metadata, spec: Some(spec) }, Verdict::Create);
        won(self.api.create(&PostParams::default(), &lease).await)
    }

    async fn replace(&self, lease: Lease) -> Result<Option<Lease>, Error> {
        // Without it the API server would overwrite whatever there is.
        if lease.metadata.resource_version.as_deref().unwrap_or_default().is_empty() {
            return Err(Error::Unfenced);
        }
        won(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    /// Leads no more, then says so.
    async fn release(&mut self) {
        if self.tenure.until().is_none() {
            return;
        }
        self.tenure.end();
        let limit = Instant::now() + self.timing.exchange();
        match timeout_at(limit, self.give_back()).await {
            Ok(Ok(())) => tracing::info!(lease = %self.name, "released the lease"),
            Ok(Err(error)) => tracing::warn!(lease = %self.name, %error, "left the lease to expire"),
            Err(_) => tracing::warn!(lease = %self.name, "left the lease to expire: no answer in time"),
        }
    }

    /// A renewal that was under way may still have been committed: then the second look finds it.
    async fn give_back(&mut self) -> Result<(), Error> {
        for _ in 0..2 {
            let lease = match self.held.take() {
                Some(lease) => Some(lease),
                None => self.api.get_opt(&self.name).await.map_err(Error::Read)?,
            };
            let Some(mut lease) = lease.filter(|lease| Record::from(lease).holder.as_ref() == Some(&self.me)) else {
                return Ok(());
            };
            if let Some(spec) = &mut lease.spec {
                spec.holder_identity = None;
                spec.renew_time = Some(MicroTime(clock::now()));
            }
            if self.replace(lease).await?.is_some() {
                break;
            }
        }
        Ok(())
    }
}

/// What follows an exchange.
enum Next {
    /// Another one, then.
    At(Instant),
    /// The end: it led, and the Lease says otherwise.
    Lost,
}

/// None where another write came first, or the object is gone.
fn won(result: kube::Result<Lease>) -> Result<Option<Lease>, Error> {
    match result {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
        Err(error) => Err(Error::Write(error)),
    }
}
