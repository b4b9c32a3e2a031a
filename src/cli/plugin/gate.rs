//! `kubectl sluice gate DEPLOYMENT`.

use clap_complete::ArgValueCandidates;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::ListParams;

use super::{Answer, Connection, picture, status};
use crate::api::MigrationRun;
use crate::cli::view::gate::{Word, page};

/// Shows whether a Deployment is held or open, by whom, and each of its ReplicaSets
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The Deployment
    #[arg(add = ArgValueCandidates::new(super::names::gated))]
    pub deployment: String,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: Connection,
}

/// Shows it.
pub async fn gate(args: Args) -> Answer {
    let cluster = args.connection.connect().await?;
    let name = args.deployment.rsplit('/').next().unwrap_or_default();
    let got = cluster.api::<Deployment>().get(name).await;
    let deployment = got.map_err(|error| cluster.wrong("read the Deployment", &error))?;
    let mut unread = Vec::new();
    let all = ListParams::default();
    let sets = picture::list(&cluster, &all, "replicasets", &mut unread).await;
    let runs: Vec<MigrationRun> = picture::list(&cluster, &all, "runs", &mut unread).await;
    let words: Vec<Word> = runs.iter().filter_map(|run| word(run, &deployment.name_any())).collect();
    let page = page(&deployment, &sets, &words, &cluster.flags, status::style());
    let unread: String = unread.iter().map(|line| format!("({line})\n")).collect();
    Ok(format!("{page}{unread}"))
}

fn word(run: &MigrationRun, deployment: &str) -> Option<Word> {
    let status = run.status.as_ref()?;
    let target = status.targets.iter().find(|target| target.name == deployment)?;
    let enforcement = status.gate.as_ref().map(|gate| gate.enforcement);
    Some(Word { run: run.name_any(), enforcement, target: target.clone() })
}
