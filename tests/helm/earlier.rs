//! The definition of an earlier operator, with runs of that time and what it had on record of them, brought up to this one's: all of it
//! is read, and nothing runs twice. tests/helm/earlier says where they are from.

use std::fs;
use std::process::Command;

use k8s_openapi::api::batch::v1::Job;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use sluice::api::{MigrationRun, MigrationRunStatus, names};

use crate::cluster::{self, OPERATOR, alone};
use crate::helm::Helm;
use crate::migration::Migration;
use crate::world::{World, condition, failure};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sluice");
const EARLIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/helm/earlier");
const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
const DEFINITION: &str = "migrationruns.sluice.dev";
const WAIT: [&str; 3] = ["--wait", "--timeout", "90s"];

/// A run as the earlier operator left it, with its Jobs.
fn recorded(name: &str) -> (Value, Vec<Value>) {
    let text = fs::read_to_string(format!("{EARLIER}/{name}.json")).unwrap();
    let mut objects: Vec<Value> = serde_json::from_str(&text).unwrap();
    let run = objects.remove(0);
    assert_eq!((&run["kind"], &run["metadata"]["name"]), (&json!("MigrationRun"), &json!(name)));
    (run, objects)
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap()
}

/// What is known by this stands for that: a new object has another UID, and with it other names.
fn instead(objects: &str, this: &str, that: &str) -> String {
    assert!(objects.contains(this), "{this} is in what was recorded");
    objects.replace(this, that)
}

/// Creates a run, its Jobs, and what was on record of both; the names of its Jobs.
async fn put(world: &World, name: &str) -> Vec<String> {
    let (run, jobs) = recorded(name);
    let wanted: MigrationRun = serde_json::from_value(without_uid(&run)).unwrap();
    let created = world.api::<MigrationRun>().create(&PostParams::default(), &wanted).await.unwrap();
    let (uid, its) = (text(&run, "uid"), created.metadata.uid.unwrap());
    let mut status = run["status"].to_string();
    let mut names = Vec::new();
    for job in &jobs {
        let (step, old) = (job["metadata"]["labels"]["sluice.dev/step"].as_str().unwrap(), text(job, "name"));
        assert_eq!(old, names::job(name, uid, 1, step, 1), "Jobs are called as they were");
        let new = names::job(name, &its, 1, step, 1);
        let job = instead(&instead(&job.to_string(), uid, &its), old, &new);
        let made = as_operator(&world.namespace, &without_uid(&serde_json::from_str(&job).unwrap()));
        status = instead(&instead(&status, old, &new), text(&jobs[names.len()], "uid"), text(&made, "uid"));
        names.push(new);
    }
    let status: Value = serde_json::from_str(&status).unwrap();
    let status = Patch::Merge(json!({ "status": status }));
    world.api::<MigrationRun>().patch_status(name, &PatchParams::default(), &status).await.unwrap();
    names.sort();
    names
}

fn without_uid(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"].as_object_mut().unwrap().remove("uid");
    object
}

/// Jobs of runs are the operator's to make; its rights may be gone with the chart.
fn as_operator(namespace: &str, job: &Value) -> Value {
    let own = format!("--as=system:serviceaccount:{OPERATOR}:sluice");
    let (made, text) = cluster::try_send(
        &["-n", namespace, "create", "-o", "json", &own, "--as-group=system:masters", "-f", "-"],
        job,
    );
    assert!(made, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Waits until a Job has ended, in either way.
async fn ended(world: &World, job: &str) {
    let ended = |job: Option<&Job>| {
        let conditions = job.and_then(|job| job.status.as_ref()).and_then(|status| status.conditions.as_ref());
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|found| ["Complete", "Failed"].contains(&&*found.type_) && found.status == "True")
    };
    world.until(job, "the Job to end", ended).await;
}

/// The runs of that time.
struct Runs {
    world: World,
    migration: Migration,
    clean: Vec<String>,
    failed: Vec<String>,
    migrating: Vec<String>,
}

impl Runs {
    async fn put() -> Self {
        let world = World::new("helm-earlier").await;
        let clean = put(&world, "clean").await;
        let failed = put(&world, "failed").await;
        let migrating = put(&world, "migrating").await;
        for job in clean.iter().chain(&failed) {
            ended(&world, job).await;
        }
        let migration = Migration::under_way(&world, "migrating").await;
        Self { world, migration, clean, failed, migrating }
    }

    async fn jobs(&self, run: &str) -> Vec<String> {
        let mut jobs = self.world.job_names(run).await;
        jobs.sort();
        jobs
    }

    /// Another generation with a field that the earlier definition did not have, which starts nothing.
    async fn observed(&self, run: &str) -> MigrationRunStatus {
        self.world.kubectl(&["patch", "mrun", run, "--type=merge", "-p", r#"{"spec":{"gate":{"mode":"Hold"}}}"#]);
        self.world.status(run, "its next generation", |status| status.observed_generation == 2).await
    }

    /// This operator has taken everything up where the earlier one left it.
    async fn taken_up(&self) {
        let clean = self.observed("clean").await;
        assert_eq!((condition(&clean, "Ready"), self.jobs("clean").await), ("True".to_owned(), self.clean.clone()));
        let failed = self.observed("failed").await;
        assert_eq!(failure(&failed), ("DataConflict".into(), "UniqueViolation".into()));
        assert_eq!(
            (condition(&failed, "Stalled"), self.jobs("failed").await),
            ("True".to_owned(), self.failed.clone())
        );

        self.migration.ends_well("with the new operator").await;
        self.world.clean("migrating").await;
        self.migration.only_one("the end").await;
        let jobs = self.jobs("migrating").await;
        let checks: Vec<&String> = jobs.iter().filter(|job| !self.migrating.contains(job)).collect();
        assert!(checks.len() == 1 && checks[0].ends_with("-check-1"), "{jobs:?}");

        let fix = r#"{"spec":{"migrate":{"command":["true"]}}}"#;
        self.world.kubectl(&["patch", "mrun", "failed", "--type=merge", "-p", fix]);
        self.world.clean("failed").await;
    }
}

/// Nothing of Sluice but the earlier definition; the values with which it was installed.
fn cleared(helm: &Helm) -> tempfile::NamedTempFile {
    let values = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    fs::write(&values, helm.does("get values", &["--output", "yaml"]).text).unwrap();
    helm.does("uninstall", &WAIT);
    cluster::kubectl(&["delete", "crd", DEFINITION, "--timeout=60s"]);
    values
}

fn established() {
    cluster::kubectl(&["wait", "crd", DEFINITION, "--for=condition=Established", "--timeout=30s"]);
    let gate = "jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.gate}";
    assert_eq!(cluster::kubectl(&["get", "crd", DEFINITION, "-o", gate]), "", "the definition is the earlier one");
}

/// With `helm upgrade` alone, since the definition is part of the chart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_definition_is_upgraded_with_the_chart() {
    let _operator = alone().await;
    let helm = Helm::of(OPERATOR, "sluice");
    let values = cleared(&helm);
    // The earlier chart is this one with the definition of that time, and with an operator that no node takes: it would not know it.
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("sluice");
    assert!(Command::new("cp").args(["-r", CHART]).arg(&chart).status().unwrap().success());
    fs::copy(format!("{EARLIER}/crd.yaml"), chart.join(format!("files/crds/{DEFINITION}.yaml"))).unwrap();
    let from = ["--values", values.path().to_str().unwrap()];
    helm.does("install", &[&[chart.to_str().unwrap(), "--set", "nodeSelector.none=here"], &from[..]].concat());
    established();
    let runs = Runs::put().await;
    helm.does("upgrade", &[&[CHART], &from[..], &WAIT[..]].concat());
    runs.taken_up().await;
}

/// As docs/install.md says where definitions are handled apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_definition_is_upgraded_with_kubectl() {
    let _operator = alone().await;
    let helm = Helm::of(OPERATOR, "sluice");
    let values = cleared(&helm);
    cluster::kubectl(&["apply", "--server-side", "-f", &format!("{EARLIER}/crd.yaml")]);
    established();
    let runs = Runs::put().await;
    cluster::kubectl(&["apply", "--server-side", "-f", CRDS]);
    let from = ["--values", values.path().to_str().unwrap()];
    helm.does("install", &[&[CHART, "--set", "crds.install=false"], &from[..], &WAIT[..]].concat());
    runs.taken_up().await;
    // From now on the chart has it.
    helm.does("upgrade", &[&[CHART, "--take-ownership"], &from[..], &WAIT[..]].concat());
    assert!(cluster::kubectl(&["get", "crd", DEFINITION, "-o", "jsonpath={.metadata.labels}"]).contains("Helm"));
}
