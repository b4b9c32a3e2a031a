//! Names of objects, for a shell that completes a word: what cannot be found in a moment is left out.

use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use clap_complete::CompletionCandidate;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::Connection;
use crate::api::{MigrationRun, labels};

/// How long somebody who has pressed Tab waits.
const MOMENT: Duration = Duration::from_secs(2);

/// The runs of the namespace.
pub fn runs() -> Vec<CompletionCandidate> {
    names::<MigrationRun>(ListParams::default())
}

/// The Deployments of the namespace that are gated.
pub fn gated() -> Vec<CompletionCandidate> {
    names::<Deployment>(ListParams::default().labels(labels::GATED))
}

fn names<K>(which: ListParams) -> Vec<CompletionCandidate>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let listed = async {
        let cluster = connection()?.connect().await.ok()?;
        cluster.api::<K>().list_metadata(&which).await.ok()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok();
    let listed =
        runtime.and_then(|runtime| runtime.block_on(async { tokio::time::timeout(MOMENT, listed).await.ok()? }));
    let names = listed.into_iter().flatten().map(|object| object.name_any());
    names.map(CompletionCandidate::new).collect()
}

/// Which cluster and namespace, as far as the line says it yet.
fn connection() -> Option<Connection> {
    let line = Connection::augment_args(Command::new("line").ignore_errors(true).allow_external_subcommands(true));
    let words = std::env::args_os().skip(1).skip_while(|word| !word.to_string_lossy().starts_with('-'));
    let matches = line.no_binary_name(true).try_get_matches_from(words).ok()?;
    Connection::from_arg_matches(&matches).ok()
}
