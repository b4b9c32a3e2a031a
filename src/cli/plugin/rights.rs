//! What the caller may do, as the API server says itself.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use super::{Cluster, answer};
use crate::cli::view::check::Finding;

/// Verb, group, resource, subresource, and the command that needs it.
const NEEDED: [(&str, &str, &str, &str, &str); 7] = [
    ("list", "sluice.dev", "migrationruns", "", "get, status"),
    ("patch", "sluice.dev", "migrationruns", "", "retry, rollback"),
    ("create", "sluice.dev", "migrationruns", "", "a release"),
    ("create", "batch", "jobs", "", "a release: it is asked of a run's author"),
    ("get", "", "pods", "log", "logs"),
    ("list", "apps", "deployments", "", "gate"),
    ("list", "apps", "replicasets", "", "gate"),
];

/// One finding a right. That one is missing is no fault of the cluster's.
pub async fn of_the_caller(cluster: &Cluster) -> Vec<Finding> {
    let mut findings = vec![Finding::unknown("your rights", format!("in namespace {}:", cluster.namespace))];
    for (verb, group, resource, subresource, needed_by) in NEEDED {
        let of = if subresource.is_empty() { resource.to_owned() } else { format!("{resource}/{subresource}") };
        let what = format!("may {verb} {of}");
        findings.push(match may(cluster, verb, group, resource, subresource).await {
            Ok(true) => Finding::good(what, "yes"),
            Ok(false) => Finding::doubtful(what, format!("no: needed by {needed_by}")),
            Err(error) => Finding::unknown(what, answer::unseen(&error)),
        });
    }
    findings
}

async fn may(
    cluster: &Cluster,
    verb: &str,
    group: &str,
    resource: &str,
    subresource: &str,
) -> Result<bool, kube::Error> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let attributes = ResourceAttributes {
        namespace: Some(cluster.namespace.clone()),
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: given(subresource),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let answered = reviews.create(&PostParams::default(), &review).await?;
    Ok(answered.status.is_some_and(|status| status.allowed))
}
