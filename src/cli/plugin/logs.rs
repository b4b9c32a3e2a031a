//! `kubectl sluice logs RUN`: what an attempt has printed, redacted.

use std::io::Write;

use clap_complete::ArgValueCandidates;
use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{ListParams, LogParams};

use super::{Answer, Cluster, Connection, Failure, picture};
use crate::api::status::{Attempt, StepRecord};
use crate::api::{MigrationRun, labels};
use crate::cli::view::withhold::Lines;

/// Shows what an attempt has printed, without credentials and values of rows
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The run
    #[arg(add = ArgValueCandidates::new(super::names::runs))]
    pub run: String,

    /// Goes on until the container ends
    #[arg(short, long)]
    pub follow: bool,

    /// Number of the attempt within its generation [default: the current one, else the last that failed, else the last]
    #[arg(long, value_name = "NUMBER")]
    pub attempt: Option<i32>,

    /// The step
    #[arg(long, value_enum, default_value_t = Step::Migrate)]
    pub step: Step,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: Connection,
}

/// A step of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Step {
    /// What changes the database
    Migrate,
    /// What asks it
    Check,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Migrate => "migrate",
            Self::Check => "check",
        }
    }

    fn record(self, attempt: &Attempt) -> Option<&StepRecord> {
        match self {
            Self::Migrate => Some(&attempt.migrate),
            Self::Check => attempt.check.as_ref(),
        }
    }
}

/// Shows them.
pub async fn logs(args: Args) -> Answer {
    let cluster = args.connection.connect().await?;
    let run = picture::run(&cluster, &args.run).await?;
    let attempt = chosen(&run, args.attempt)?;
    let step = args.step.name();
    let record = args.step.record(&attempt).ok_or_else(|| {
        Failure::failed(format!("attempt {} has no {step} step yet; --step migrate is there", attempt.number))
    })?;
    match pod(&cluster, record).await? {
        Some(pod) => {
            eprintln!("(pod {}, attempt {} of {})", pod.name_any(), attempt.number, attempt.image);
            stream(&cluster, &pod, step, args.follow).await
        }
        None => kept(&attempt, args.step),
    }
}

/// The attempt that a person would mean.
fn chosen(run: &MigrationRun, number: Option<i32>) -> Result<Attempt, Failure> {
    let status = run.status.clone().unwrap_or_default();
    let attempts = &status.attempts;
    let known = || attempts.iter().map(|each| each.number.to_string()).collect::<Vec<_>>().join(", ");
    let found = match number {
        Some(number) => attempts.iter().rev().find(|each| each.number == number),
        None => {
            let failed = attempts.iter().rev().find(|each| each.failure.is_some());
            status.active_attempt().or(failed.filter(|_| status.failure.is_some())).or(attempts.last())
        }
    };
    found.cloned().ok_or_else(|| match (number, attempts.is_empty()) {
        (_, true) => {
            Failure::failed(format!("no attempt was begun yet: {}", status.summary.clone().unwrap_or_default()))
        }
        (Some(number), _) => Failure::failed(format!("no attempt {number} on record; there are {}", known())),
        (None, _) => Failure::failed("no attempt on record"),
    })
}

async fn pod(cluster: &Cluster, record: &StepRecord) -> Result<Option<Pod>, Failure> {
    let params = ListParams::default().labels(labels::RUN);
    let listed = cluster.api::<Pod>().list(&params).await;
    let pods = listed.map_err(|error| cluster.wrong("list pods", &error))?;
    Ok(pods.items.into_iter().find(|pod| pod.owner_references().iter().any(|owner| owner.uid == record.uid)))
}

async fn stream(cluster: &Cluster, pod: &Pod, container: &str, follow: bool) -> Answer {
    let params = LogParams { container: Some(container.to_owned()), follow, ..LogParams::default() };
    let opened = cluster.api::<Pod>().log_stream(&pod.name_any(), &params).await;
    let mut lines = opened.map_err(|error| cluster.wrong("read the log", &error))?.lines();
    let mut withhold = Lines::default();
    loop {
        match lines.try_next().await {
            Ok(Some(line)) => {
                // A reader that has gone has what it wanted.
                if writeln!(std::io::stdout(), "{}", withhold.line(&line)).is_err() {
                    return Ok(String::new());
                }
            }
            Ok(None) => return Ok(String::new()),
            Err(error) => return Err(Failure::failed(format!("the log broke off: {error}"))),
        }
    }
}

/// What the run has kept of a log whose pod is gone.
fn kept(attempt: &Attempt, step: Step) -> Answer {
    let failure = attempt.failure.as_ref().filter(|failure| failure.step.eq_ignore_ascii_case(step.name()));
    match failure {
        Some(failure) => {
            eprintln!("(the pod is gone; this is what the run has kept as evidence)");
            Ok(failure.evidence.iter().map(|line| format!("{line}\n")).collect())
        }
        None => Err(Failure::failed(format!(
            "the pod of {} in attempt {} is gone, and nothing of its log was kept, since it did not fail",
            step.name(),
            attempt.number
        ))),
    }
}
