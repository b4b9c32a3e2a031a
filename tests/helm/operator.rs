//! The life of the operator's own chart, while one Deployment is held, one is open, and two migrations are in their middle.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::json;
use sluice::api::MigrationRunStatus;

use crate::cluster::{self, OPERATOR, alone};
use crate::helm::Helm;
use crate::migration::{Migration, SLOW};
use crate::scene::Scene;
use crate::world::condition;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/sluice");
/// What Helm waits for is the operator.
const WAIT: [&str; 3] = ["--wait", "--timeout", "90s"];

/// Three Deployments with customers, and who migrates there.
struct Stage {
    helm: Helm,
    /// 1.2 has failed, 1.0 serves.
    held: Scene,
    /// 1.1 migrates, 1.0 serves.
    migrating: Scene,
    migration: Migration,
    /// 1.0 is let go. Beside it, a run without targets migrates.
    open: Scene,
    lasting: Migration,
}

impl Stage {
    async fn set() -> Self {
        let held = Scene::serving("helm-held", json!({})).await;
        held.fails("1.2").await;
        let migrating = Scene::serving("helm-migrating", json!({})).await;
        migrating.deploy("1.1", json!({}));
        migrating.run("1.1", SLOW, json!({}));
        let migration = Migration::under_way(&migrating.world, "app").await;
        let open = Scene::serving("helm-open", json!({})).await;
        open.world.script("lasting", SLOW, json!({}));
        let lasting = Migration::under_way(&open.world, "lasting").await;
        let stage = Self { helm: Helm::of(OPERATOR, "sluice"), held, migrating, migration, open, lasting };
        stage.as_before("the stage is set").await;
        stage
    }

    /// What is held is held, what is open is open, and customers are answered by what served before.
    async fn as_before(&self, step: &str) {
        for scene in [&self.held, &self.migrating] {
            scene.held(step).await;
            scene.serve(step, "1.0", 2).await;
        }
        let open = |found: &Deployment| found.spec.as_ref().is_some_and(|spec| spec.paused != Some(true));
        self.open.until(step, "it to be open", open).await;
        // A change that is no release rolls out, as it does where nothing is held.
        let noted = json!({ "spec": { "template": { "metadata": { "annotations": { "step": step } } } } });
        self.open.deploy("1.0", noted);
        self.open.comes_through(step, "1.0", 2).await;
    }

    async fn undisturbed(&self, step: &str) {
        self.migration.undisturbed(step).await;
        self.lasting.undisturbed(step).await;
        self.as_before(step).await;
    }

    /// Pods of the operator that are not about to end, with their arguments.
    async fn operators(&self) -> Vec<(String, String)> {
        let its = ListParams::default().labels("app.kubernetes.io/name=sluice");
        let pods = Api::<Pod>::namespaced(cluster::client().await, OPERATOR).list(&its).await.unwrap();
        let staying = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let args = |pod: &Pod| pod.spec.as_ref().unwrap().containers[0].args.clone().unwrap_or_default().join(" ");
        staying.map(|pod| (pod.name_any(), args(pod))).collect()
    }

    /// Another operator, with this in its arguments, has taken the place of those before.
    async fn replaced(&self, step: &str, before: &[(String, String)], argument: &str) {
        let now = self.operators().await;
        assert!(
            !now.is_empty() && now.iter().all(|pod| !before.contains(pod)),
            "{step}: {now:?} instead of {before:?}"
        );
        assert!(now.iter().all(|(_, args)| args.contains(argument)), "{step}: {now:?} without {argument}");
    }

    async fn upgraded(&self) {
        let (step, before) = ("helm upgrade", self.operators().await);
        let values = ["--reset-then-reuse-values", "--set", "log.level=debug"];
        self.helm.does("upgrade", &[&[CHART], &values[..], &WAIT[..]].concat());
        self.replaced(step, &before, "--log-level debug").await;
        self.undisturbed(step).await;
    }

    async fn rolled_back(&self) {
        let (step, before) = ("helm rollback", self.operators().await);
        self.helm.does("rollback", &WAIT);
        self.replaced(step, &before, "--log-level info").await;
        self.undisturbed(step).await;
    }

    /// Gone, and one of the migrations ends while nobody looks.
    async fn uninstalled(&self) {
        let step = "helm uninstall";
        self.helm.does("uninstall", &WAIT);
        assert!(!self.helm.tries("status", &[]).ok, "the release is gone");
        self.undisturbed(step).await;
        let kept = ["get", "validatingadmissionpolicies", "-l", "app.kubernetes.io/component=protection", "-o", "name"];
        assert_eq!(cluster::kubectl(&kept).lines().count(), 2, "what protects a running migration stays");
        self.migration.ends_well("without an operator").await;
        self.migration.only_one(step).await;
        self.as_before("a migration has ended without an operator").await;
        self.lasting.undisturbed(step).await;
    }

    /// The operator is back, and takes up what it finds.
    async fn installed_again(&self, values: &str) {
        let step = "helm install";
        self.helm.does("install", &[&[CHART, "--values", values], &WAIT[..]].concat());
        self.lasting.undisturbed(step).await;
        self.migrating.comes_through("1.1 has migrated without an operator", "1.1", 2).await;
        self.migration.only_one(step).await;
        self.held.held(step).await;
        self.held.serve(step, "1.0", 2).await;
        let stalled =
            |status: &MigrationRunStatus| condition(status, "Stalled") == "True" && status.observed_generation == 2;
        self.held.world.status("app", "the failure to be on record still", stalled).await;
        self.lasting.ends_well(step).await;
        self.open.world.clean("lasting").await;
        self.lasting.only_one("the end").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_chart_comes_and_goes_while_releases_are_held_and_migrate() {
    let _operator = alone().await;
    let stage = Stage::set().await;
    let values = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(&values, stage.helm.does("get values", &["--output", "yaml"]).text).unwrap();
    stage.upgraded().await;
    stage.rolled_back().await;
    stage.uninstalled().await;
    stage.installed_again(values.path().to_str().unwrap()).await;

    // The gate is in force again: a fix comes through, and what fails is held.
    stage.held.deploy("1.4", json!({}));
    stage.held.run("1.4", "true", json!({}));
    stage.held.comes_through("a fix", "1.4", 2).await;
    stage.open.fails("1.2").await;
    stage.open.serve("1.2 fails", "1.0", 2).await;
    assert_eq!(stage.held.heard("the end"), ["1.0", "1.4"]);
    assert_eq!(stage.migrating.heard("the end"), ["1.0", "1.1"]);
    assert_eq!(stage.open.heard("the end"), ["1.0"]);
}
