//! A release's life under Argo CD, once for each way in which it may write.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use sluice::api::status::RollbackState;
use sluice::api::{MigrationRun, MigrationRunStatus};

use crate::argo::{App, example};
use crate::git::Git;
use crate::scene::{Scene, image};
use crate::world::World;

/// A migration that lasts until it is let go, two minutes at most.
const SLOW: &str = "for i in $(seq 1200); do [ -e /tmp/go ] && exit; sleep 0.1; done; exit 1";

/// A Deployment and its run in Git, and Argo CD that keeps the cluster so.
struct Life {
    git: Git,
    scene: Scene,
    app: App,
    /// What is laid over the Deployment in Git.
    more: Value,
}

impl Life {
    /// The Application of the examples, with these options besides.
    async fn begin(case: &str, options: &[&str], more: Value) -> Self {
        let git = Git::new(case);
        let scene = Scene::empty(&World::new(&format!("argocd-{case}")).await, "app").await;
        let mut manifest = example("application.yaml", &git.url());
        manifest["metadata"]["name"] = json!(case);
        manifest["spec"]["source"]["path"] = json!("shop");
        manifest["spec"]["destination"]["namespace"] = json!(scene.world.namespace);
        let all = manifest["spec"]["syncPolicy"]["syncOptions"].as_array_mut().unwrap();
        all.extend(options.iter().map(|option| json!(option)));
        git.write("shop/.keep", "");
        git.commit("Make room for the shop");
        let app = App::new(manifest).await;
        Self { git, scene, app, more }
    }

    /// The release's one commit: the run and its Deployment.
    async fn release(&self, version: &str, migrate: &str) -> String {
        self.write(version, migrate);
        let commit = self.git.commit(&format!("Release {version}"));
        self.app.looks("normal").await;
        commit
    }

    fn write(&self, version: &str, migrate: &str) {
        let run = json!({ "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": "app" }, "spec": {
            "image": image(version),
            "tool": "Custom",
            "database": { "id": format!("{}/app", self.scene.world.namespace) },
            "migrate": { "image": "localhost/busybox:1", "command": ["sh", "-c", migrate] },
            "check": { "command": ["true"] },
            "targets": [{ "kind": "Deployment", "name": "app" }],
        } });
        self.git.write("shop/run.json", &format!("{run:#}\n"));
        self.git.write("shop/app.json", &format!("{:#}\n", self.scene.manifest(version, self.more.clone())));
    }

    /// A commit that comes through: one sync, and customers are answered by it.
    async fn comes_through(&self, step: &str, version: &str) -> String {
        let before = self.app.operations();
        let commit = self.release(version, "true").await;
        self.scene.comes_through(step, version, 2).await;
        self.app.shows(step, &commit, "Synced", "Healthy").await;
        self.wrote(step, before, 1);
        commit
    }

    fn wrote(&self, step: &str, before: usize, wanted: usize) {
        let operations = self.app.operations() - before;
        assert_eq!(operations, wanted, "{}: {step}: so many operations of Argo CD", self.app.name);
    }

    /// However often Argo CD looks, it finds nothing to repair, and nobody writes to the Deployment.
    async fn rests(&self, step: &str, commit: &str, health: &str) {
        let version = async || {
            let found = self.scene.world.api::<Deployment>().get("app").await.unwrap();
            (found.resource_version(), found.metadata.generation)
        };
        let (operations, before) = (self.app.operations(), version().await);
        for how in ["normal", "hard", "normal"] {
            self.app.looks(how).await;
            self.app.shows(step, commit, "Synced", health).await;
        }
        self.wrote(step, operations, 0);
        assert_eq!(version().await, before, "{}: {step}: somebody writes to what is held", self.app.name);
        self.scene.look(step);
    }

    /// Waits until the migration runs; its Job.
    async fn migrating(&self) -> String {
        let started = |status: &MigrationRunStatus| {
            status.active_attempt().is_some_and(|active| active.migrate.started_at.is_some())
        };
        let status = self.scene.world.status("app", "migrate to run", started).await;
        status.active_attempt().unwrap().migrate.job.clone()
    }

    fn let_end(&self, job: &str) {
        self.scene.world.kubectl(&["exec", &format!("job/{job}"), "-c", "migrate", "--", "touch", "/tmp/go"]);
    }

    /// The pod of a migration's Job, which nobody is ending.
    async fn undisturbed(&self, step: &str, job: &str) -> String {
        let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
        let mut pods = self.scene.world.api::<Pod>().list(&of_job).await.unwrap().items;
        let pod = pods.pop().expect("a running migration has a pod");
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        assert_eq!((phase, &pod.metadata.deletion_timestamp), (Some("Running"), &None), "{step}");
        pod.name_any()
    }

    /// Lets the pod's migration end, which has to end well. The pod may go at once then, so that it is looked at before.
    async fn ends_well(&self, step: &str, pod: &str, job: &str) {
        let world = self.scene.world.clone();
        let (name, step) = (pod.to_owned(), step.to_owned());
        let (look, mut looks) = tokio::sync::watch::channel(());
        let end = tokio::spawn(async move {
            let ended = |pod: Option<&Pod>| {
                look.send_replace(());
                let status = pod.and_then(|pod| pod.status.as_ref());
                let containers = status.into_iter().flat_map(|status| status.container_statuses.iter().flatten());
                let state = containers.filter(|each| each.name == "migrate").find_map(|each| each.state.clone());
                state.and_then(|state| state.terminated).map(|ended| ended.exit_code).is_some_and(|code| {
                    assert_eq!(code, 0, "{step}: the migration was disturbed");
                    true
                })
            };
            world.until(&name, "the migration to end", ended).await;
        });
        looks.changed().await.unwrap();
        self.let_end(job);
        end.await.unwrap();
    }
}

/// From a first install to the end of the Application.
async fn life(case: &str, options: &[&str]) {
    let life = Life::begin(case, options, json!({})).await;
    first_install(&life).await;
    life.scene.ask();
    life.comes_through("a clean release", "1.1").await;
    a_failing_release(&life).await;
    life.comes_through("a fixed release", "1.3").await;
    a_rollback(&life).await;
    life.comes_through("a fix after the rollback", "1.4").await;
    assert_eq!(life.scene.heard(case), ["1.0", "1.1", "1.3", "1.4"]);
    the_run_is_pruned_while_it_migrates(&life).await;
    the_application_is_deleted_while_it_migrates(&life).await;
}

async fn first_install(life: &Life) {
    let (step, before) = ("a first install", life.app.operations());
    let commit = life.release("1.0", SLOW).await;
    life.app.shows(step, &commit, "Synced", "Progressing").await;
    life.scene.held(step).await;
    let why = "Held: localhost/shop:1.0 is not let go. MigrationRun app: the database is not clean with it yet";
    life.app.says(step, "Deployment", "Suspended", &format!("{why}. No release serves yet")).await;
    assert_eq!(life.scene.sets().await, [], "what is held has no ReplicaSet");
    let job = life.migrating().await;
    life.rests(step, &commit, "Progressing").await;
    life.let_end(&job);
    life.scene.comes_through(step, "1.0", 2).await;
    life.app.shows(step, &commit, "Synced", "Healthy").await;
    life.wrote(step, before, 1);
}

async fn a_failing_release(life: &Life) {
    let (step, before) = ("a failing release", life.app.operations());
    let commit = life.release("1.2", "exit 1").await;
    life.app.shows(step, &commit, "Synced", "Degraded").await;
    life.scene.held(step).await;
    let why = "Held: localhost/shop:1.2 is not let go. MigrationRun app: Unknown";
    life.app.says(step, "Deployment", "Suspended", why).await;
    life.app.says(step, "Deployment", "Suspended", "2 of 2 pods of what serves are available").await;
    life.app.says(step, "MigrationRun", "Degraded", "Unknown").await;
    life.rests(step, &commit, "Degraded").await;
    life.scene.serve(step, "1.1", 2).await;
    life.wrote(step, before, 1);

    let (step, before) = ("a Git revert", life.app.operations());
    let pods = life.scene.pods();
    let commit = life.git.revert();
    life.app.looks("normal").await;
    life.app.shows(step, &commit, "Synced", "Healthy").await;
    life.scene.comes_through(step, "1.1", 2).await;
    assert_eq!(life.scene.pods(), pods, "{step}: what served was replaced");
    life.wrote(step, before, 1);
}

async fn a_rollback(life: &Life) {
    let (step, before, commit) = ("a rollback after a full rollout", life.app.operations(), life.git.head());
    let planned = |status: &MigrationRunStatus| {
        status.targets[0].rollback.as_ref().is_some_and(|rollback| rollback.state == RollbackState::Planned)
    };
    life.scene.world.status("app", "the plan of a rollback", planned).await;
    // What the action does.
    life.scene.world.kubectl(&["annotate", "--overwrite", "mrun", "app", "sluice.dev/rollback=night"]);
    life.scene.held(step).await;
    life.scene.serve(step, "1.1", 2).await;
    life.app.shows(step, &commit, "Synced", "Degraded").await;
    life.app.says(step, "MigrationRun", "Degraded", "localhost/shop:1.3 was rolled back").await;
    let why = "Held: localhost/shop:1.3 is not let go. MigrationRun app: localhost/shop:1.3 was rolled back";
    life.app.says(step, "Deployment", "Suspended", why).await;
    let done = |status: &MigrationRunStatus| {
        status.targets[0].rollback.as_ref().is_some_and(|rollback| rollback.state == RollbackState::Done)
    };
    life.scene.world.status("app", "the rollback to be done", done).await;
    life.rests(step, &commit, "Degraded").await;
    life.scene.serve(step, "1.1", 2).await;
    life.wrote(step, before, 0);
}

async fn the_run_is_pruned_while_it_migrates(life: &Life) {
    let step = "a run that is pruned in the middle of its migration";
    let commit = life.release("1.4", SLOW).await;
    let job = life.migrating().await;
    life.app.shows(step, &commit, "Synced", "Progressing").await;
    life.git.remove("shop/run.json");
    let commit = life.git.commit("Take the run out");
    life.app.looks("normal").await;
    let going = |run: Option<&MigrationRun>| run.is_some_and(|run| run.metadata.deletion_timestamp.is_some());
    life.scene.world.until("app", "the run to be pruned", going).await;
    let pod = life.undisturbed(step, &job).await;
    life.ends_well(step, &pod, &job).await;
    let gone = |run: Option<&MigrationRun>| run.is_none();
    life.scene.world.until("app", "the run to be gone", gone).await;
    life.app.shows(step, &commit, "Synced", "Healthy").await;
    life.scene.serve(step, "1.4", 2).await;
}

async fn the_application_is_deleted_while_it_migrates(life: &Life) {
    let step = "an Application that is deleted in the middle of a migration";
    life.release("1.4", SLOW).await;
    let job = life.migrating().await;
    life.scene.leave(step);
    life.app.argo.kubectl(&["delete", "application", &life.app.name, "--wait=false"]);
    let going = |run: Option<&MigrationRun>| run.is_some_and(|run| run.metadata.deletion_timestamp.is_some());
    life.scene.world.until("app", "the run to be deleted", going).await;
    life.scene.world.until("app", "the Deployment to be gone", |found: Option<&Deployment>| found.is_none()).await;
    let pod = life.undisturbed(step, &job).await;
    life.ends_well(step, &pod, &job).await;
    life.app.gone(step).await;
    life.scene.world.until("app", "the run to be gone", |run: Option<&MigrationRun>| run.is_none()).await;
    life.scene.serve(step, "1.4", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_argo_cd_writes_by_default() {
    life("default", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_server_side_apply() {
    life("server-side", &["ServerSideApply=true"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_replace() {
    life("replace", &["Replace=true"]).await;
}

/// The one difference that has to be ignored, and only for such a manifest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_that_says_paused_is_no_difference_with_what_the_example_ignores() {
    let life = Life::begin("says-paused", &[], json!({ "spec": { "paused": false } })).await;
    life.comes_through("a first install", "1.0").await;
    let (step, before) = ("a failing release", life.app.operations());
    let commit = life.release("1.2", "exit 1").await;
    life.scene.held(step).await;
    life.app.shows(step, &commit, "Synced", "Degraded").await;
    life.app.says(step, "MigrationRun", "Degraded", "PauseInGit").await;
    life.rests(step, &commit, "Degraded").await;
    life.wrote(step, before, 1);
    let nothing = r#"{"spec":{"ignoreDifferences":null}}"#;
    life.app.argo.kubectl(&["patch", "application", &life.app.name, "--type=merge", "-p", nothing]);
    life.app.until("without it", "OutOfSync", |status| status.sync.status == "OutOfSync").await;
    life.scene.serve("without it", "1.0", 2).await;
    life.app.argo.kubectl(&["delete", "application", &life.app.name, "--wait=false"]);
    life.app.gone("the end").await;
}
