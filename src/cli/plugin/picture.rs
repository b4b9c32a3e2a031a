//! Reads what belongs to a run, as far as the caller may.

use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::{Cluster, Failure};
use crate::api::MigrationRun;
use crate::cli::view::run::selector;
use crate::cli::view::tree::Picture;

/// The run itself.
///
/// # Errors
/// Where it is not there, or the caller may not see it.
pub async fn run(cluster: &Cluster, name: &str) -> Result<MigrationRun, Failure> {
    let got = cluster.api::<MigrationRun>().get(name).await;
    got.map_err(|error| cluster.wrong("read the run", &error))
}

/// What belongs to it. What cannot be read is named, and the rest is shown.
pub async fn of(cluster: &Cluster, run: &MigrationRun) -> Picture {
    let mut picture = Picture::default();
    let its = ListParams::default().labels(&selector(run));
    picture.jobs = list(cluster, &its, "jobs", &mut picture.unread).await;
    picture.pods = list(cluster, &its, "pods", &mut picture.unread).await;
    let names: Vec<&str> = run.spec.targets.iter().flatten().map(|target| target.name.as_str()).collect();
    if !names.is_empty() {
        let all = ListParams::default();
        picture.deployments = list(cluster, &all, "deployments", &mut picture.unread).await;
        picture.deployments.retain(|each| names.contains(&each.name_any().as_str()));
        picture.sets = list(cluster, &all, "replicasets", &mut picture.unread).await;
    }
    picture
}

/// All of a kind in the namespace.
pub async fn list<K>(cluster: &Cluster, params: &ListParams, what: &str, unread: &mut Vec<String>) -> Vec<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    match cluster.api::<K>().list(params).await {
        Ok(listed) => listed.items,
        Err(error) => {
            unread.push(format!("{what}: {}", cluster.wrong(&format!("list {what}"), &error).message));
            Vec::new()
        }
    }
}
