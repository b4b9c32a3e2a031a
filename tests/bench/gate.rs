//! The gate: how long a clean database waits until its Deployment is let go, and what admission adds to an update.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::watcher;
use serde_json::json;
use sluice::api::{MigrationRun, labels};

use crate::figures::{Aim, Samples, Table};
use crate::watch::Watch;
use crate::world::World;
use crate::{count, say};

const LET_GO: Aim = Aim::both("p50 < 100 ms, p99 < 500 ms", Duration::from_millis(100), Duration::from_millis(500));

pub async fn measure(world: &World, table: &mut Table) {
    let rounds = count("BENCH_GATE", 30);
    say!("{rounds} Deployments let go, one after the other");
    let deployments = Watch::start(world.api::<Deployment>(), watcher::Config::default());
    let (mut let_go, mut floor) = (Samples::default(), Samples::default());
    for number in 0..rounds {
        let name = format!("clean-gate-{number}");
        world.api().create(&PostParams::default(), &deployment(&name, true)).await.unwrap();
        let (mut runs, mut opened) = (world.runs.sightings(), deployments.sightings());
        world.create_run_for(&name, &name).await;
        let clean = |run: &MigrationRun| {
            run.name_any() == name && run.status.as_ref().is_some_and(|status| status.clean.is_some())
        };
        let (known, _) = runs.first("the run to be clean", clean).await;
        let open = |deployment: &Deployment| {
            deployment.name_any() == name
                && deployment.annotations().get(labels::APPROVED_IMAGES).is_some_and(|list| list.contains("shop:1"))
        };
        let (at, _) = opened.first("the Deployment to be let go", open).await;
        let_go.push(at.saturating_duration_since(known));
        let mut touched = deployments.sightings();
        let begun = Instant::now();
        touch(world, &name, number).await;
        let is_touched = |deployment: &Deployment| {
            deployment.name_any() == name && deployment.annotations().contains_key("bench/touched")
        };
        floor.push(touched.first("an update, by hand", is_touched).await.0 - begun);
    }
    table.time(
        "database on record as clean → Deployment let go",
        &LET_GO,
        &let_go,
        Some(("one update of it, by hand", &floor)),
    );
    updates(world, table, rounds).await;
}

/// What admission adds to an update.
async fn updates(world: &World, table: &mut Table, rounds: usize) {
    say!("updates of a Deployment with the label and of one without");
    world.api().create(&PostParams::default(), &deployment("gated", true)).await.unwrap();
    world.api().create(&PostParams::default(), &deployment("free", false)).await.unwrap();
    let (mut gated, mut free) = (Samples::default(), Samples::default());
    for number in 0..rounds * 3 {
        for (name, samples) in [("gated", &mut gated), ("free", &mut free)] {
            let begun = Instant::now();
            touch(world, name, number).await;
            samples.push(begun.elapsed());
        }
    }
    table.time("update of a gated Deployment", &Aim::NONE, &gated, Some(("the same without the label", &free)));
}

async fn touch(world: &World, name: &str, number: usize) {
    let change = json!({ "metadata": { "annotations": { "bench/touched": number.to_string() } } });
    world.api::<Deployment>().patch(name, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
}

/// A Deployment without pods.
fn deployment(name: &str, gated: bool) -> Deployment {
    let labels = if gated { json!({ labels::GATED: "true" }) } else { json!({}) };
    let wanted = json!({
        "metadata": { "name": name, "labels": labels },
        "spec": {
            "replicas": 0,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "app", "image": "shop:1" }] },
            },
        },
    });
    serde_json::from_value(wanted).unwrap()
}
