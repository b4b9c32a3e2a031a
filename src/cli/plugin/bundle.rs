//! `kubectl sluice support-bundle RUN`: what somebody who helps needs to see, without what nobody should.

use std::path::{Path, PathBuf};

use clap_complete::ArgValueCandidates;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::{ListParams, LogParams};
use serde::Serialize;
use serde_json::Value;

use super::get::{Output, written};
use super::{Answer, Cluster, Connection, Failure, check, picture};
use crate::api::MigrationRun;
use crate::cli::view::style::Style;
use crate::cli::view::tree::{Picture, page};
use crate::cli::view::withhold;

/// Gathers what is known of a run into a directory, without credentials and values of rows
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The run
    #[arg(add = ArgValueCandidates::new(super::names::runs))]
    pub run: String,

    /// The directory to make [default: sluice-RUN-TIME]
    #[arg(long, value_name = "DIRECTORY")]
    pub directory: Option<PathBuf>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: Connection,
}

/// The last of a log: what a person reads first.
const LINES: i64 = 2000;

/// Gathers. What the caller may not read is named in `missing.txt`, and the rest is gathered all the same.
pub async fn bundle(args: Args) -> Answer {
    let cluster = args.connection.connect().await?;
    let run = picture::run(&cluster, &args.run).await?;
    let now = Timestamp::now();
    let directory = args
        .directory
        .unwrap_or_else(|| PathBuf::from(format!("sluice-{}-{}", args.run, now.strftime("%Y%m%dT%H%M%SZ"))));
    std::fs::create_dir(&directory).map_err(|error| unwritten(&directory, &error))?;
    let mut picture = picture::of(&cluster, &run).await;
    let mut missing = std::mem::take(&mut picture.unread);
    let to = |name: &str| directory.join(name);
    text(&to("status.txt"), &page(&run, &picture, &cluster.flags, now, Style::default()))?;
    text(&to("check.txt"), &check::findings(&cluster).await?)?;
    objects(&to("run.yaml"), std::slice::from_ref(&run))?;
    objects(&to("jobs.yaml"), &picture.jobs)?;
    objects(&to("pods.yaml"), &picture.pods)?;
    objects(&to("deployments.yaml"), &picture.deployments)?;
    objects(&to("replicasets.yaml"), &of_targets(&picture))?;
    objects(&to("events.yaml"), &events(&cluster, &run, &picture, &mut missing).await)?;
    for pod in &picture.pods {
        logs(&cluster, pod, &directory, &mut missing).await?;
    }
    text(&to("missing.txt"), &missing.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    let note = if missing.is_empty() { "" } else { "; missing.txt says what could not be read" };
    Ok(format!("{}{note}\n", directory.display()))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("failed to write {}: {error}", path.display()))
}

fn text(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| unwritten(path, &error))
}

fn objects<K: Serialize>(path: &Path, objects: &[K]) -> Result<(), Failure> {
    let value = serde_json::to_value(objects).map_err(|error| Failure::failed(error.to_string()))?;
    text(path, &written(&withhold::object(value), Output::Yaml)?)
}

fn of_targets(picture: &Picture) -> Vec<Value> {
    let uids: Vec<String> = picture.deployments.iter().filter_map(ResourceExt::uid).collect();
    let of = |set: &&k8s_openapi::api::apps::v1::ReplicaSet| {
        set.owner_references().iter().any(|owner| uids.contains(&owner.uid))
    };
    picture.sets.iter().filter(of).filter_map(|set| serde_json::to_value(set).ok()).collect()
}

/// Those about the run and all that is shown with it.
async fn events(cluster: &Cluster, run: &MigrationRun, picture: &Picture, missing: &mut Vec<String>) -> Vec<Event> {
    let mut names: Vec<String> = picture.jobs.iter().map(ResourceExt::name_any).collect();
    names.extend(picture.pods.iter().map(ResourceExt::name_any));
    names.extend(picture.deployments.iter().map(ResourceExt::name_any));
    names.push(run.name_any());
    let mut events: Vec<Event> = picture::list(cluster, &ListParams::default(), "events", missing).await;
    events.retain(|event| event.involved_object.name.as_ref().is_some_and(|name| names.contains(name)));
    events
}

async fn logs(cluster: &Cluster, pod: &Pod, directory: &Path, missing: &mut Vec<String>) -> Result<(), Failure> {
    for container in pod.spec.iter().flat_map(|spec| &spec.containers) {
        let params =
            LogParams { container: Some(container.name.clone()), tail_lines: Some(LINES), ..LogParams::default() };
        match cluster.api::<Pod>().logs(&pod.name_any(), &params).await {
            Ok(log) => {
                text(&directory.join(format!("{}-{}.log", pod.name_any(), container.name)), &withhold::lines(&log))?
            }
            Err(error) => {
                missing.push(cluster.wrong(&format!("read the log of pod {}", pod.name_any()), &error).message)
            }
        }
    }
    Ok(())
}
