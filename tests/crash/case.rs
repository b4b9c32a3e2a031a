//! Cases with one operator at a time, or with two that do not know of each other.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::node::Duty;
use crate::operator::Operator;
use crate::scene::{Ending, Scene};
use crate::wire::{Fault, Kind};

/// How often a settled run is looked at again, and how often the operator is started again.
const LOOKS: u64 = 10;

/// The writes of an operator that nothing disturbs.
pub async fn undisturbed(scene: &Scene) -> Vec<String> {
    scene.create_run().await;
    let operator = Operator::start(&scene.cluster, &scene.namespace, None);
    scene.finished().await;
    operator.wire.writes()
}

/// The operator is injured at a write, and where that ends it, another one follows.
pub async fn disturbed(scene: &Scene, fault: Fault, wanted: &Ending) -> Result<(), String> {
    scene.create_run().await;
    let mut operator = Operator::start(&scene.cluster, &scene.namespace, Some(fault));
    if !scene.struck(&operator).await {
        return same(&scene.ending().await, wanted);
    }
    if let Kind::StopBefore | Kind::StopAfter | Kind::StopLong = fault.kind {
        drop(operator);
        let mut next = None;
        if fault.kind == Kind::StopLong {
            scene.node.hurry();
            scene.jobs_end().await;
            next = Some(Fault { kind: Kind::SlowPods, at: 0 });
        }
        operator = Operator::start(&scene.cluster, &scene.namespace, next);
    }
    operator.looked(1).await;
    scene.finished().await;
    same(&scene.ending().await, wanted)
}

/// The operator never hears of a pod, only of Jobs.
pub async fn unwatched(scene: &Scene, fault: Fault, wanted: &Ending) -> Result<(), String> {
    scene.node.hurry();
    scene.create_run().await;
    let _operator = Operator::start(&scene.cluster, &scene.namespace, Some(fault));
    scene.finished().await;
    same(&scene.ending().await, wanted)
}

/// Two operators race from the start, and neither asks who leads.
pub async fn twins(scene: &Scene, _: Fault, wanted: &Ending) -> Result<(), String> {
    let twins = [(); 2].map(|()| Operator::start(&scene.cluster, &scene.namespace, None));
    for twin in &twins {
        twin.ready().await;
    }
    scene.create_run().await;
    scene.finished().await;
    same(&scene.ending().await, wanted)
}

/// A run that has settled is looked at again and again, by the same operator and by new ones.
pub async fn settled(scene: &Scene, _: Fault, wanted: &Ending) -> Result<(), String> {
    scene.create_run().await;
    let operator = Operator::start(&scene.cluster, &scene.namespace, None);
    scene.finished().await;
    let jobs = scene.jobs_end().await;
    let before = operator.wire.writes().len();
    for look in 0..LOOKS {
        let touch = json!({ "metadata": { "annotations": { "example.org/touched": look.to_string() } } });
        let (api, patch) = (scene.api::<Job>(), Patch::Merge(touch));
        let looked = operator.looked(1);
        let (touched, ()) =
            futures::join!(async { api.patch(&jobs[0], &PatchParams::default(), &patch).await }, looked);
        touched.map_err(|error| error.to_string())?;
    }
    let extra = operator.wire.writes().split_off(before);
    drop(operator);
    if !extra.is_empty() {
        return Err(format!("looking again was not free: {extra:?}"));
    }
    for _ in 0..LOOKS {
        let next = Operator::start(&scene.cluster, &scene.namespace, None);
        next.looked(1).await;
        let extra = next.wire.writes();
        if !extra.is_empty() {
            return Err(format!("starting again was not free: {extra:?}"));
        }
    }
    same(&scene.ending().await, wanted)
}

/// Whether no step of an attempt has had two pods.
pub fn once(pods: &BTreeMap<Duty, usize>) -> Result<(), String> {
    match pods.iter().find(|(_, pods)| **pods != 1) {
        Some((duty, pods)) => Err(format!("{duty} has had {pods} pods")),
        None => Ok(()),
    }
}

/// Whether a case has ended as it must.
pub fn same(ending: &Ending, wanted: &Ending) -> Result<(), String> {
    once(&ending.pods)?;
    if ending != wanted {
        return Err(format!("ended as {ending:?}\ninstead of {wanted:?}"));
    }
    Ok(())
}
