//! Who may lead, judged from what was read and when it was seen to change. Pure: times are durations since any fixed
//! point of one monotonic clock.
//!
//! The holder's clock is never trusted: a Lease has expired when it has not changed for its duration while *we* watched.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

/// What counts of a Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; none once it was released.
    pub holder: Option<String>,
    /// The holder's last sign of life, by its own clock: only its change means anything.
    pub renewed: Option<Timestamp>,
    /// For how long it is held after a sign of life; none where it is absent or malformed.
    pub duration: Option<Duration>,
}

impl From<&Lease> for Record {
    fn from(lease: &Lease) -> Self {
        let spec = lease.spec.as_ref();
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        Self {
            holder: spec.and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty()),
            renewed: spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0),
            duration: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        }
    }
}

/// What to do about the Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is none: create it.
    Create,
    /// Nobody holds it, or its holder was silent for too long: take it.
    Acquire,
    /// It is ours: renew it.
    Renew,
    /// Somebody holds it, until this time at least.
    Wait(Duration),
}

/// Judges `record` for the candidate `me`, where it was seen to change last at `observed_at`. `default` is the duration
/// of a record that has none.
pub fn evaluate(record: Option<&Record>, me: &str, observed_at: Duration, now: Duration, default: Duration) -> Verdict {
    let Some(record) = record else { return Verdict::Create };
    match record.holder.as_deref() {
        None => Verdict::Acquire,
        Some(holder) if holder == me => Verdict::Renew,
        Some(_) => {
            let until = observed_at.saturating_add(record.duration.unwrap_or(default));
            if now >= until { Verdict::Acquire } else { Verdict::Wait(until) }
        }
    }
}

/// Remembers when a record was first seen as it is.
#[derive(Debug, Default)]
pub struct Observer(Option<(Record, Duration)>);

impl Observer {
    /// Takes note of `record`, read at `now`, and returns when it was seen to change last.
    pub fn observe(&mut self, record: &Record, now: Duration) -> Duration {
        match &self.0 {
            Some((seen, at)) if seen == record => *at,
            _ => {
                self.0 = Some((record.clone(), now));
                now
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn held_by(holder: &str, duration: Option<u64>) -> Record {
        Record { holder: Some(holder.to_owned()), renewed: Some(Timestamp::UNIX_EPOCH), duration: duration.map(s) }
    }

    #[test]
    fn the_verdict_follows_from_what_was_seen() {
        let free = Record { holder: None, renewed: Some(Timestamp::MAX), duration: Some(s(15)) };
        let cases = [
            ("no lease", None, 0, 0, Verdict::Create),
            ("released", Some(free), 100, 100, Verdict::Acquire),
            ("ours", Some(held_by("me", Some(15))), 0, 3, Verdict::Renew),
            ("ours, long silent", Some(held_by("me", Some(15))), 0, 300, Verdict::Renew),
            ("just seen", Some(held_by("other", Some(15))), 100, 100, Verdict::Wait(s(115))),
            ("almost expired", Some(held_by("other", Some(15))), 100, 114, Verdict::Wait(s(115))),
            ("expired", Some(held_by("other", Some(15))), 100, 115, Verdict::Acquire),
            ("its own duration counts", Some(held_by("other", Some(60))), 100, 130, Verdict::Wait(s(160))),
            ("no duration", Some(held_by("other", None)), 100, 130, Verdict::Wait(s(140))),
        ];
        for (name, record, observed_at, now, expected) in cases {
            assert_eq!(evaluate(record.as_ref(), "me", s(observed_at), s(now), s(40)), expected, "{name}");
        }
    }

    #[test]
    fn only_a_change_is_a_sign_of_life() {
        let mut observer = Observer::default();
        let first = held_by("other", Some(15));
        assert_eq!(observer.observe(&first, s(1)), s(1));
        assert_eq!(observer.observe(&first, s(9)), s(1));
        let renewed = Record { renewed: Some(Timestamp::MIN), ..first };
        assert_eq!(observer.observe(&renewed, s(10)), s(10), "an earlier renewTime is a change too");
        assert_eq!(observer.observe(&held_by("third", Some(15)), s(11)), s(11));
    }

    #[test]
    fn malformed_leases_are_read_as_they_can_be() {
        let read = |spec: serde_json::Value| Record::from(&serde_json::from_value::<Lease>(spec).unwrap());
        let empty = Record { holder: None, renewed: None, duration: None };
        assert_eq!(read(serde_json::json!({})), empty);
        let spec = serde_json::json!({"spec": {"holderIdentity": "", "leaseDurationSeconds": -1}});
        assert_eq!(read(spec), empty);
    }
}
