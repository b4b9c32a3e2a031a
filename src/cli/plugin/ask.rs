//! `kubectl sluice retry` and `rollback`: a wish by an annotation, and what came of it.

use std::time::Duration;

use clap_complete::ArgValueCandidates;
use futures::StreamExt;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher;
use serde_json::json;

use super::{Answer, Cluster, Connection, Failure, picture};
use crate::api::status::{RollbackState, TargetStatus, TokenTaken};
use crate::api::{MigrationRun, MigrationRunStatus, labels};

/// Who the annotation is written by, as status and managedFields show it.
const MANAGER: &str = "kubectl-sluice";

/// Asks for a failed release to be tried again, or for one that was rolled back to be let go again
#[derive(clap::Args, Debug)]
pub struct Retry {
    /// The run
    #[arg(add = ArgValueCandidates::new(super::names::runs))]
    pub run: String,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub wish: Wish,
}

/// Asks for the pods of a release to be replaced by those of the one before
#[derive(clap::Args, Debug)]
pub struct Rollback {
    /// The run
    #[arg(add = ArgValueCandidates::new(super::names::runs))]
    pub run: String,

    /// Shows what would be done, and does nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub wish: Wish,
}

/// How a wish is made.
#[derive(clap::Args, Debug)]
pub struct Wish {
    /// The token by which the wish is known; each is taken once [default: made from the time]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,

    /// Seconds to wait for the operator's answer; 0: not at all
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub timeout: u64,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: Connection,
}

/// Asks for a retry.
pub async fn retry(args: Retry) -> Answer {
    let cluster = args.wish.connection.connect().await?;
    let run = picture::run(&cluster, &args.run).await?;
    wish(&cluster, &run, &args.wish, labels::RETRY, |status| &status.retries).await
}

/// Asks for a rollback, or shows how it would go.
pub async fn rollback(args: Rollback) -> Answer {
    let cluster = args.wish.connection.connect().await?;
    let run = picture::run(&cluster, &args.run).await?;
    if args.dry_run {
        return plan(&run);
    }
    wish(&cluster, &run, &args.wish, labels::ROLLBACK, |status| &status.rollbacks).await
}

/// What status says of the way back; exits with 1 where there is none.
fn plan(run: &MigrationRun) -> Answer {
    let status = run.status.clone().unwrap_or_default();
    let lines: Vec<String> = status.targets.iter().filter_map(way_back).collect();
    let possible =
        |target: &&TargetStatus| target.rollback.as_ref().is_some_and(|way| way.state != RollbackState::Impossible);
    if status.targets.iter().filter(possible).count() == 0 {
        let why = if lines.is_empty() { "no release of this run has been let go".to_owned() } else { lines.join("; ") };
        return Err(Failure::failed(format!("nothing to roll back: {why}")));
    }
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

fn way_back(target: &TargetStatus) -> Option<String> {
    let way = target.rollback.as_ref()?;
    let mut line = format!("deployment/{}: {:?}", target.name, way.state);
    if !way.to.is_empty() {
        line.push_str(&format!(" from {} to {}", target.image, way.to.join(", ")));
        line.push_str(&format!(", with {} pods more at most", way.extra_pods));
    }
    if let Some(seconds) = way.deadline_seconds {
        line.push_str(&format!(", given up after {seconds} s"));
    }
    if let Some(message) = &way.message {
        line.push_str(&format!("; {message}"));
    }
    Some(line)
}

async fn wish(
    cluster: &Cluster,
    run: &MigrationRun,
    wish: &Wish,
    key: &str,
    taken: fn(&MigrationRunStatus) -> &Vec<TokenTaken>,
) -> Answer {
    let name = run.name_any();
    let token = wish.token.clone().unwrap_or_else(|| format!("cli-{}", Timestamp::now().as_millisecond()));
    let change = json!({ "metadata": { "annotations": { key: token } } });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let patched = cluster.api::<MigrationRun>().patch(&name, &params, &Patch::Merge(&change)).await;
    patched.map_err(|error| cluster.wrong("annotate the run", &error))?;
    let said = format!("migrationrun.sluice.dev/{name}");
    if wish.timeout == 0 {
        return Ok(format!("{said} asked with token {token}\n"));
    }
    let answered = answered(cluster, &name, &token, taken);
    match tokio::time::timeout(Duration::from_secs(wish.timeout), answered).await {
        Ok(Some(result)) if result == "Accepted" => Ok(format!("{said} accepted with token {token}\n")),
        Ok(Some(result)) => Err(Failure::failed(format!("refused: {result}"))),
        Ok(None) => Err(Failure::failed(format!("run {name} was deleted meanwhile"))),
        Err(_) => Err(Failure::failed(format!(
            "no answer in {} s; the wish stands, and is answered in status when an operator is free: `kubectl sluice status {name}{}`",
            wish.timeout, cluster.flags
        ))),
    }
}

/// What the operator has answered; none where the run is gone.
async fn answered(
    cluster: &Cluster,
    name: &str,
    token: &str,
    taken: fn(&MigrationRunStatus) -> &Vec<TokenTaken>,
) -> Option<String> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let mut seen = watcher(cluster.api::<MigrationRun>(), config).default_backoff().boxed();
    let wanted = crate::api::names::token(token);
    while let Some(event) = seen.next().await {
        match event {
            Ok(watcher::Event::Apply(run) | watcher::Event::InitApply(run)) => {
                let status = run.status.unwrap_or_default();
                if let Some(found) = taken(&status).iter().find(|each| each.token == wanted) {
                    return Some(found.result.clone());
                }
            }
            Ok(watcher::Event::Delete(_)) => return None,
            Ok(_) | Err(_) => {}
        }
    }
    None
}
