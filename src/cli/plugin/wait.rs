//! `kubectl sluice wait RUN --for …`: for pipelines.

use std::time::Duration;

use clap_complete::ArgValueCandidates;
use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};

use super::{Answer, Connection, Failure, picture};
use crate::api::conditions::{FINISHED, STALLED};
use crate::api::{MigrationRun, MigrationRunStatus};
use crate::cli::view::run::{condition, gate, reason};

/// What `timeout` of the coreutils exits with, too.
const TIMED_OUT: u8 = 124;

/// Waits for a run. Exits with 0 when it has come about, 1 when it will not come about without a person, 124 at the timeout
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The run
    #[arg(add = ArgValueCandidates::new(super::names::runs))]
    pub run: String,

    /// What is waited for
    #[arg(long = "for", value_enum, default_value_t = For::Clean, value_name = "WHAT")]
    pub what: For,

    /// How long at most, such as 90s, 30m or 1h30m
    #[arg(long, default_value = "30m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: Connection,
}

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum For {
    /// The database is clean with the release of the newest spec, and its targets are let go
    Clean,
    /// A target is held
    Held,
    /// Nothing more happens by itself, however it ended
    Finished,
}

fn duration(text: &str) -> Result<Duration, String> {
    let read: Result<kube::core::Duration, _> = text.parse();
    let positive = read.ok().filter(|read| !read.is_negative());
    positive.map(Duration::from).ok_or_else(|| "write it such as 90s, 30m or 1h30m".to_owned())
}

/// Whether it has come about; none while it may yet.
fn verdict(run: &MigrationRun, what: For) -> Option<Result<String, String>> {
    let status = run.status.clone().unwrap_or_default();
    if run.metadata.generation.is_some_and(|generation| status.observed_generation < generation) {
        return None;
    }
    let is = |kind: &str| condition(&status, kind).is_some_and(|condition| condition.status == "True");
    let summary = status.summary.clone().unwrap_or_default();
    let step = status.step.clone().unwrap_or_default();
    let ended = is(FINISHED) || is(STALLED);
    match what {
        For::Clean if is_let_go(&status) => Some(Ok(format!("clean: {summary}"))),
        For::Held if gate(&status) == "Held" => Some(Ok(format!("held: {}", reason(&status)))),
        For::Finished if ended => Some(Ok(format!("{step}: {}", reason(&status)))),
        For::Clean | For::Held if ended => Some(Err(format!("{step}: {}: {summary}", reason(&status)))),
        _ => None,
    }
}

fn is_let_go(status: &MigrationRunStatus) -> bool {
    condition(status, crate::api::conditions::READY).is_some_and(|ready| ready.status == "True")
}

/// Waits.
pub async fn wait(args: Args) -> Answer {
    let cluster = args.connection.connect().await?;
    let mut last = picture::run(&cluster, &args.run).await?;
    let config = watcher::Config::default().fields(&format!("metadata.name={}", args.run));
    let mut seen = watcher(cluster.api::<MigrationRun>(), config).default_backoff().boxed();
    let come = async {
        loop {
            if let Some(verdict) = verdict(&last, args.what) {
                return verdict.map_err(Failure::failed);
            }
            match seen.next().await {
                Some(Ok(watcher::Event::Apply(run) | watcher::Event::InitApply(run))) => last = run,
                Some(Ok(watcher::Event::Delete(_))) => return Err(Failure::failed("the run was deleted")),
                Some(_) => {}
                None => return Err(Failure::failed("the watch has ended")),
            }
        }
    };
    match tokio::time::timeout(args.timeout, come).await {
        Ok(verdict) => verdict.map(|said| format!("{said}\n")),
        Err(_) => {
            let run = picture::run(&cluster, &args.run).await?;
            let status = run.status.unwrap_or_default();
            let step = status.step.unwrap_or_else(|| "Unseen".to_owned());
            let message =
                format!("not in {} s: {step}: {}", args.timeout.as_secs(), status.summary.unwrap_or_default());
            Err(Failure { code: TIMED_OUT, message })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn run(observed: i64, step: &str, conditions: &[(&str, &str)]) -> MigrationRun {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, status)| json!({ "type": kind, "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-03-01T02:00:08Z" }))
            .collect();
        serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": "shop", "generation": 2 },
            "spec": { "image": "a", "database": { "id": "x" } },
            "status": { "observedGeneration": observed, "step": step, "summary": "S.", "conditions": conditions },
        }))
        .unwrap()
    }

    #[test]
    fn each_wish_comes_about_or_never_will_or_may_yet() {
        let stalled = run(
            2,
            "AwaitPatch",
            &[("Ready", "False"), ("Stalled", "True"), ("GateOpen", "False"), ("Finished", "True")],
        );
        let clean = run(2, "Succeeded", &[("Ready", "True"), ("GateOpen", "True"), ("Finished", "True")]);
        let going = run(2, "Migrate", &[("Ready", "Unknown"), ("GateOpen", "False"), ("Finished", "False")]);
        let old = run(1, "Succeeded", &[("Ready", "True"), ("GateOpen", "True"), ("Finished", "True")]);
        let told = |run: &MigrationRun, what| verdict(run, what).map(|verdict| verdict.is_ok());
        assert_eq!(
            [For::Clean, For::Held, For::Finished].map(|what| told(&stalled, what)),
            [Some(false), Some(true), Some(true)]
        );
        assert_eq!(
            [For::Clean, For::Held, For::Finished].map(|what| told(&clean, what)),
            [Some(true), Some(false), Some(true)]
        );
        assert_eq!([For::Clean, For::Held, For::Finished].map(|what| told(&going, what)), [None, Some(true), None]);
        assert_eq!([For::Clean, For::Held, For::Finished].map(|what| told(&old, what)), [None, None, None]);
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in
            [("90s", Some(90)), ("30m", Some(1800)), ("1h30m", Some(5400)), ("30", None), ("-5m", None), ("soon", None)]
        {
            assert_eq!(duration(text).ok().map(|read| read.as_secs()), seconds, "{text}");
        }
    }
}
