//! Gated Deployments: held ones are kept fit to serve, and of complete ones the release is kept.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::ObjectRef;
use tracing::Instrument;

use super::{Error, Operator};
use crate::decide::custody;
use crate::decide::upkeep::{Gated, Upkeep, upkeep};

/// Looks at each Deployment that `changed` names, until `shutdown`.
pub async fn run(
    operator: Arc<Operator>,
    changed: UnboundedReceiver<ObjectRef<Deployment>>,
    shutdown: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let store = operator.observer.caches.deployments.clone();
    Controller::for_stream(futures::stream::pending(), store)
        .graceful_shutdown_on(shutdown)
        .reconcile_on(changed)
        .run(reconcile, after_error, operator)
        .for_each(|_| futures::future::ready(()))
        .await;
}

async fn reconcile(deployment: Arc<Deployment>, operator: Arc<Operator>) -> Result<Action, Error> {
    let namespace = deployment.namespace().unwrap_or_default();
    let span = tracing::info_span!("gated", namespace, deployment = deployment.name_any());
    pass(&deployment, &operator).instrument(span).await
}

async fn pass(deployment: &Deployment, operator: &Operator) -> Result<Action, Error> {
    if deployment.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let gated = operator.observer.gated(deployment, operator.settings.clock.now()).await?;
    for write in upkeep(&gated) {
        if let Err(wait) = pace(operator, &gated, &write) {
            tracing::warn!("somebody else writes the contrary all the time: the rule is written again later");
            operator.settings.metrics.reconcile_failed("Contested");
            return Ok(Action::requeue(wait));
        }
        tracing::info!(effect = write.name(), "applying");
        operator.applier.keep(deployment, &gated, &write).await?;
    }
    if let Some(delay) = custody::look_again(&gated) {
        return Ok(Action::requeue(delay));
    }
    // ReplicaSets are not watched, and a paused Deployment without pods hears nothing of them.
    let empty = gated.workload.is_held() && gated.wanted > 0 && gated.sets.iter().all(|set| set.present == 0);
    Ok(if empty { Action::requeue(Duration::from_secs(15)) } else { Action::await_change() })
}

/// Counts a write of the rule, or says how long to wait before the next: two that write without an end help nobody.
fn pace(operator: &Operator, gated: &Gated, write: &Upkeep) -> Result<(), Duration> {
    let counted = match write {
        Upkeep::WriteRule(_) | Upkeep::ExplainHold(_) => format!("{} {}", write.name(), gated.fence.uid),
        _ => return Ok(()),
    };
    let mut paces = operator.paces.lock().unwrap_or_else(PoisonError::into_inner);
    paces.retain(|_, pace| !pace.is_over(gated.now));
    paces.entry(counted).or_default().take(gated.now)
}

fn after_error(_: Arc<Deployment>, error: &Error, operator: Arc<Operator>) -> Action {
    if error.is_ordinary() {
        // What is in the way mostly ends at once: our own last write that is not seen yet, the Deployment controller's to the
        // same ReplicaSet, or a ReplicaSet of a Deployment that was deleted.
        return Action::requeue(Duration::from_millis(200));
    }
    operator.settings.metrics.reconcile_failed(error.name());
    tracing::warn!(%error, "failed to keep a gated deployment; looking again");
    Action::requeue(Duration::from_secs(5))
}
