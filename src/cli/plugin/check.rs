//! `kubectl sluice check`: whether a cluster is set up as it should be, as far as the caller may look.

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::{Answer, Cluster, Connection, Failure, answer, rights, status};
use crate::api::crd;
use crate::cli::view::check::{Finding, page};
use crate::cli::view::style::Style;

/// Looks whether this cluster is set up right: API server, definitions, operator, gate, and the caller's own rights
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: Connection,
}

/// What all objects of the chart carry.
const OURS: &str = "app.kubernetes.io/name=sluice";

/// Looks, and exits with 1 where something is not as it should be.
pub async fn check(args: Args) -> Answer {
    let cluster = args.connection.connect().await?;
    let findings = all(&cluster).await?;
    let wrong = findings.iter().filter(|finding| finding.is_wrong()).count();
    let page = page(&findings, status::style());
    if wrong == 0 {
        return Ok(page);
    }
    super::print("check", page.as_bytes());
    Err(Failure::failed(format!("{wrong} of {} are not as they should be", findings.len())))
}

/// The same as text, for a file.
pub async fn findings(cluster: &Cluster) -> Result<String, Failure> {
    Ok(page(&all(cluster).await?, Style::default()))
}

async fn all(cluster: &Cluster) -> Result<Vec<Finding>, Failure> {
    let mut findings =
        vec![server(cluster).await?, definition(cluster).await, operator(cluster).await, gate(cluster).await];
    findings.extend(rights::of_the_caller(cluster).await);
    Ok(findings)
}

async fn server(cluster: &Cluster) -> Result<Finding, Failure> {
    let version = cluster.client.apiserver_version().await;
    let version = version.map_err(|error| cluster.wrong("ask for the version", &error))?;
    Ok(Finding::good("API server", version.git_version))
}

async fn definition(cluster: &Cluster) -> Finding {
    const WHAT: &str = "definition of MigrationRun";
    let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let api: Api<DynamicObject> = Api::all_with(cluster.client.clone(), &ApiResource::from_gvk(&kind));
    let served = match api.get("migrationruns.sluice.dev").await {
        Ok(served) => served,
        Err(kube::Error::Api(status)) if status.code == 404 => {
            return Finding::wrong(
                WHAT,
                "not installed: install the chart, or `sluice crds | kubectl apply --server-side -f -`",
            );
        }
        Err(error) => return Finding::unknown(WHAT, answer::unseen(&error)),
    };
    let schema = |value: Result<Value, _>| {
        let schema = value.ok().and_then(|value| value.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned());
        schema.map(plain)
    };
    if schema(serde_json::to_value(&served)) == schema(crd::migration_run()) {
        return Finding::good(WHAT, format!("as of sluice {}", env!("CARGO_PKG_VERSION")));
    }
    let says = "another than that of this command: fields may be missing there; bring chart and command to one version";
    Finding::doubtful(WHAT, says)
}

/// A bound is written as 1 here and as 1.0 there.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64()),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => fields.into_iter().map(|(field, value)| (field, plain(value))).collect(),
        other => other,
    }
}

async fn operator(cluster: &Cluster) -> Finding {
    const WHAT: &str = "operator";
    let api: Api<Deployment> = Api::all(cluster.client.clone());
    let listed = match api.list(&ListParams::default().labels(OURS)).await {
        Ok(listed) => listed.items,
        Err(error) => return Finding::unknown(WHAT, answer::unseen(&error)),
    };
    let Some(deployment) = listed.into_iter().find(|each| each.metadata.labels.is_some()) else {
        return Finding::wrong(WHAT, "not installed: no Deployment has the label app.kubernetes.io/name=sluice");
    };
    let available = deployment.status.as_ref().and_then(|status| status.available_replicas).unwrap_or_default();
    let version = deployment.labels().get("app.kubernetes.io/version").cloned().unwrap_or_default();
    let place = format!("{}/{}", deployment.namespace().unwrap_or_default(), deployment.name_any());
    match available {
        0 => Finding::wrong(WHAT, format!("{place} has no pod that is ready: runs wait, and what is held stays held")),
        _ if version != env!("CARGO_PKG_VERSION") => {
            Finding::doubtful(WHAT, format!("{place}, {version}; this command is {}", env!("CARGO_PKG_VERSION")))
        }
        _ => Finding::good(WHAT, format!("{place}, {version}, {available} ready")),
    }
}

/// Whether something holds what is gated.
async fn gate(cluster: &Cluster) -> Finding {
    const WHAT: &str = "gate";
    let ours = ListParams::default().labels(OURS);
    let kind = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding");
    let hold: Api<DynamicObject> = Api::all_with(
        cluster.client.clone(),
        &ApiResource::from_gvk_with_plural(&kind, "mutatingadmissionpolicybindings"),
    );
    let deny: Api<ValidatingAdmissionPolicyBinding> = Api::all(cluster.client.clone());
    let webhooks: Api<MutatingWebhookConfiguration> = Api::all(cluster.client.clone());
    let of_gate = |name: String| name.contains("-gate-");
    let guards = match deny.list(&ours).await {
        Ok(listed) => listed.items.iter().filter(|each| of_gate(each.name_any())).count(),
        Err(error) => return Finding::unknown(WHAT, answer::unseen(&error)),
    };
    // A cluster before 1.36 has no such kind, which reads as none.
    let holds = hold.list(&ours).await.map_or(0, |listed| listed.items.len());
    let hooks = webhooks.list(&ours).await.map_or(0, |listed| listed.items.len());
    match (holds, hooks) {
        (0, 0) if guards == 0 => {
            Finding::doubtful(WHAT, "Reactive: the operator holds after the fact, and can be late")
        }
        (0, 0) => Finding::doubtful(WHAT, "guarded, but nothing holds at admission: Reactive, which can be late"),
        (0, _) => Finding::good(WHAT, "Webhook: no update of a gated Deployment comes in while no operator is ready"),
        _ => Finding::good(WHAT, format!("AdmissionPolicy, with {guards} guards")),
    }
}
