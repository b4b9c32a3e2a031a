//! The way back: how long it takes from the wish until the pods of a release are out of their Deployment's sight, from where on the
//! Deployment controller starts those of the release before.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use serde_json::{Value, json};
use sluice::api::{MigrationRun, labels};

use crate::figures::{Aim, Samples, Table};
use crate::watch::{Sightings, Watch};
use crate::world::World;
use crate::{count, say};

const BACK: Aim = Aim::both("p50 < 100 ms, p99 < 500 ms", Duration::from_millis(100), Duration::from_millis(500));

pub async fn measure(world: &World, table: &mut Table) {
    let rounds = count("BENCH_BACK", 20);
    say!("{rounds} releases rolled back, one after the other");
    let sets = Watch::start(world.api::<ReplicaSet>(), watcher::Config::default());
    let (mut back, mut floor) = (Samples::default(), Samples::default());
    for number in 0..rounds {
        let name = format!("clean-back-{number}");
        let (mut seen, mut runs) = (sets.sightings(), world.runs.sightings());
        let set = released(world, &name, &mut seen).await;
        let planned = |run: &MigrationRun| {
            let target = run.status.as_ref().and_then(|status| status.targets.first());
            run.name_any() == name && target.is_some_and(|target| target.rollback.is_some())
        };
        runs.first("a way back", planned).await;
        let begun = Instant::now();
        annotate::<MigrationRun>(world, &name, labels::ROLLBACK).await;
        let taken = |found: &ReplicaSet| found.name_any() == set && found.labels().contains_key(labels::CUSTODY);
        back.push(seen.first("custody", taken).await.0 - begun);
        let begun = Instant::now();
        annotate::<ReplicaSet>(world, &set, "bench/touched").await;
        let touched = |found: &ReplicaSet| found.name_any() == set && found.annotations().contains_key("bench/touched");
        floor.push(seen.first("an update, by hand", touched).await.0 - begun);
    }
    table.time(
        "rollback asked for → its pods in custody",
        &BACK,
        &back,
        Some(("one update of their ReplicaSet, by hand", &floor)),
    );
}

/// A Deployment that has come from `shop:0` to `shop:1` through its gate; the name of the ReplicaSet of `shop:1`. Its one pod has no
/// node, which is all the same here.
async fn released(world: &World, name: &str, seen: &mut Sightings<ReplicaSet>) -> String {
    let created = world.api().create(&PostParams::default(), &deployment(name)).await.unwrap();
    let of = |image: &'static str| {
        move |set: &ReplicaSet| {
            let its = set.owner_references().iter().any(|owner| owner.name == name);
            its && serde_json::to_string(&set.spec).unwrap().contains(image)
        }
    };
    let (_, before) = seen.first("the first ReplicaSet", of("shop:0")).await;
    let manifest = json!({ "metadata": { "name": before.name_any(), "labels": before.labels() }, "spec": before.spec });
    let kept = sluice::build::kept::revision(&created, 1, &manifest).unwrap();
    world.api::<ControllerRevision>().create(&PostParams::default(), &kept).await.unwrap();
    // What runs when the label comes is approved.
    merge::<Deployment>(world, name, json!({ "metadata": { "labels": { labels::GATED: "true" } } })).await;
    world.create_run_for(name, name).await;
    merge::<Deployment>(world, name, json!({ "spec": { "template": template(name, "shop:1") } })).await;
    seen.first("the second ReplicaSet", of("shop:1")).await.1.name_any()
}

async fn annotate<K>(world: &World, name: &str, key: &str)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    merge::<K>(world, name, json!({ "metadata": { "annotations": { key: "1" } } })).await;
}

async fn merge<K>(world: &World, name: &str, change: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    world.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

fn template(name: &str, image: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": name } },
        "spec": { "schedulerName": "nobody", "containers": [{ "name": "app", "image": image }] },
    })
}

fn deployment(name: &str) -> Deployment {
    serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": name } },
            "template": template(name, "shop:0"),
        },
    }))
    .unwrap()
}
