//! One run after the other: how long until its Job is there, how long until its end is on record, what it writes; and how
//! long an operator takes to start.

use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use sluice::api::{MigrationRun, labels};

use crate::figures::{Aim, Samples, Table, ratio};
use crate::operator::Operator;
use crate::world::{World, is_finished, run};
use crate::{bare, count, node, say};

const JOB_CREATED: Aim = Aim::median("p50 < 50 ms", Duration::from_millis(50));
const ON_RECORD: Aim = Aim::both("p50 < 100 ms, p99 < 500 ms", Duration::from_millis(100), Duration::from_millis(500));
const READY: Aim = Aim::median("< 1 s", Duration::from_secs(1));
const WRITES: u64 = 14;

/// From the start of the process.
pub async fn starts(table: &mut Table, what: &str) {
    say!("starting operators: {what}");
    let mut samples = Samples::default();
    let mut memory = 0;
    for _ in 0..count("BENCH_STARTS", 10) {
        let operator = Operator::spawn();
        samples.push(operator.ready().await);
        memory = memory.max(operator.memory().0);
        operator.stop().await;
    }
    say!("peak memory of a start: {:.1} MiB", memory as f64 / 1024.0);
    table.time(what, &READY, &samples, None);
}

pub async fn measure(world: &World, operator: &Operator, table: &mut Table) {
    let runs = count("BENCH_RUNS", 100);
    say!("warming up");
    for number in 0..3 {
        one(world, &format!("fail-warm-{number}")).await;
    }
    let params = ListParams::default().labels(&format!("{}=fail-warm-0,{}=migrate", labels::RUN, labels::STEP));
    let template = world.api::<Job>().list(&params).await.unwrap().items.remove(0);

    say!("the floors, then {runs} runs one after the other, then the floors again");
    let floor = created(world, &template, "floor", runs).await;
    let end_floor = ends(world, "floor", runs).await;
    let (mut to_job, mut to_verdict) = (Samples::default(), Samples::default());
    for number in 0..runs {
        let (job, verdict) = one(world, &format!("fail-{number}")).await;
        to_job.push(job);
        to_verdict.push(verdict);
    }
    let again = created(world, &template, "again", runs).await;
    let end_again = ends(world, "again", runs).await;
    table.time("apply → Job created", &JOB_CREATED, &to_job, Some(("the same Job, created by hand", &floor)));
    let by_hand = "pod's end seen and a run written, by hand";
    table.time("pod failed → verdict in status", &ON_RECORD, &to_verdict, Some((by_hand, &end_floor)));
    let noise = format!("{} and {}", ratio(&again, &floor), ratio(&end_again, &end_floor));
    table.value("noise: the two floors above, measured again after the runs, to before", "", true, &noise, runs, "");
    writes(world, operator, table, "clean", "API writes of a clean run").await;
    writes(world, operator, table, "fail", "API writes of a run that fails and is asked about").await;
}

/// Times of a run that fails: until its Job is seen, and from its pod's end until the verdict is.
async fn one(world: &World, name: &str) -> (Duration, Duration) {
    let (mut jobs, mut runs) = (world.jobs.sightings(), world.runs.sightings());
    let applied = Instant::now();
    world.create_run(name).await;
    let its = |job: &Job| job.labels().get(labels::RUN).is_some_and(|run| run == name);
    let (created, _) = jobs.first("the Job", its).await;
    let judged = |run: &MigrationRun| {
        run.name_any() == name && run.status.as_ref().is_some_and(|status| status.failure.is_some())
    };
    let (judged, _) = runs.first("the verdict", judged).await;
    runs.first("the end", |run| run.name_any() == name && is_finished(run)).await;
    pause().await;
    (created - applied, judged - world.node.ended_at(name))
}

/// The Job controller still has to do with the Jobs of the last run.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// The floor of a Job's creation.
async fn created(world: &World, template: &Job, name: &str, count: usize) -> Samples {
    let mut samples = Samples::default();
    for number in 0..count {
        let job = bare::job(template, &format!("{name}-{number}"), true);
        let mut jobs = world.jobs.sightings();
        let sent = Instant::now();
        world.api::<Job>().create(&PostParams::default(), &job).await.unwrap();
        let (seen, _) = jobs.first("the floor's Job", |seen| seen.metadata.name == job.metadata.name).await;
        samples.push(seen - sent);
    }
    samples
}

/// The floor of a verdict: a pod's end is seen, then a run is written and seen. The run is suspended, so that nobody else
/// writes it.
async fn ends(world: &World, name: &str, count: usize) -> Samples {
    let mut suspended = run(&format!("suspended-{name}"));
    suspended.spec.suspend = Some(true);
    let mut runs = world.runs.sightings();
    let suspended = world.api::<MigrationRun>().create(&PostParams::default(), &suspended).await.unwrap().name_any();
    runs.first("the suspended run", |run| {
        run.name_any() == suspended && run.status.as_ref().is_some_and(|s| s.step.is_some())
    })
    .await;
    let mut samples = Samples::default();
    for number in 0..count {
        let pod_name = format!("slow-{name}-{number}");
        let pod = json!({ "metadata": { "name": pod_name, "labels": { node::BARE: pod_name } }, "spec": {
            "schedulerName": "scripted", "containers": [{ "name": "migrate", "image": "app:1" }] } });
        let (mut pods, mut runs) = (world.pods.sightings(), world.runs.sightings());
        let phase = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        world.api::<Pod>().create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        pods.first("the floor's pod", |pod| pod.name_any() == pod_name && phase(pod) == "Running").await;
        let state = json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": node::CONFLICT } });
        let (merge, end) = (PatchParams::default(), Patch::Merge(node::status("Failed", "migrate", state)));
        let sent = Instant::now();
        world.api::<Pod>().patch_status(&pod_name, &merge, &end).await.unwrap();
        pods.first("its end", |pod| pod.name_any() == pod_name && phase(pod) == "Failed").await;
        let note = json!({ "metadata": { "annotations": { "bench/floor": pod_name } } });
        world.api::<MigrationRun>().patch(&suspended, &merge, &Patch::Merge(note)).await.unwrap();
        let noted = |run: &MigrationRun| run.annotations().get("bench/floor") == Some(&pod_name);
        let (seen, _) = runs.first("the run to be written", noted).await;
        samples.push(seen - sent);
    }
    samples
}

/// What one run writes, Events included.
async fn writes(world: &World, operator: &Operator, table: &mut Table, kind: &str, what: &str) {
    let mut most: (u64, String) = Default::default();
    let rounds = 5;
    for number in 0..rounds {
        let before = operator.writes().await;
        let mut runs = world.runs.sightings();
        let name = format!("{kind}-writes-{number}");
        world.create_run(&name).await;
        runs.first("the end", |run| run.name_any() == name && is_finished(run)).await;
        // What is tidied up and told after the end belongs to the run as well.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut after = operator.writes().await;
        after.iter_mut().for_each(|(key, count)| *count -= before.get(key).copied().unwrap_or(0));
        let parts: Vec<String> =
            after.iter().filter(|(_, count)| **count > 0).map(|(key, count)| format!("{count} {key}")).collect();
        most = most.max((after.values().sum(), parts.join(", ")));
    }
    let (total, parts) = most;
    let aim = if kind == "clean" { "≤ 14" } else { "" };
    table.value(what, aim, aim.is_empty() || total <= WRITES, &total.to_string(), rounds, &parts);
}
