//! A user's chart, examples/helm/shop: a gated Deployment and its run in one release, with the real Prisma and PostgreSQL. What Helm
//! returns, and when, is asserted as it is: Helm 3 knows nothing of runs, Helm 4 waits for them by kstatus.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use serde_json::json;
use sluice::api::status::{AttemptOutcome, RollbackState};
use sluice::api::{MigrationRun, MigrationRunStatus};

use crate::cluster::{self, undisturbed};
use crate::helm::{Helm, Said};
use crate::migration::{Migration, SLOW};
use crate::scene::{Scene, image};
use crate::world::{World, condition, failure};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/helm/shop");
const DATABASE: &str = "helm-shop";
/// Less than any migration by Prisma takes: who returns by then has waited for none.
const AT_ONCE: Duration = Duration::from_secs(3);

struct Shop {
    helm: Helm,
    scene: Scene,
}

impl Shop {
    fn world(&self) -> &World {
        &self.scene.world
    }

    /// The release with another image, as a pipeline deploys it.
    fn deploys(&self, version: &str, options: &[&str]) -> Said {
        let tag = format!("image.tag={version}");
        self.helm
            .tries("upgrade", &[&[CHART, "--install", "--reset-then-reuse-values", "--set", &tag], options].concat())
    }

    /// What is on record of the run at this moment.
    async fn run(&self) -> MigrationRunStatus {
        self.world().api::<MigrationRun>().get("shop").await.unwrap().status.unwrap_or_default()
    }

    async fn paused(&self) -> bool {
        self.world().api::<Deployment>().get("shop").await.unwrap().spec.unwrap().paused == Some(true)
    }

    /// Helm has waited, and it was worth it: by Helm 4 for the run, by Helm 3 for nothing.
    async fn succeeded(&self, step: &str, said: &Said, version: &str) {
        assert!(said.ok, "{step}: {}", said.text);
        assert_eq!(self.helm.status().1, "deployed", "{step}");
        let ready = self.run().await.clean.is_some_and(|clean| clean.image == image(version));
        if self.helm.major == 3 {
            assert!(said.took < AT_ONCE && !ready, "{step}: Helm 3 has waited for a run: {:?}", said.took);
        } else {
            assert!(ready, "{step}: Helm 4 has not waited for the run");
        }
    }

    /// A release that comes through, whatever Helm waits for.
    async fn comes_through(&self, step: &str, version: &str, options: &[&str]) {
        self.scene.fit(version);
        let said = self.deploys(version, options);
        self.succeeded(step, &said, version).await;
        self.scene.comes_through(step, version, 2).await;
        self.clean(version).await;
    }

    async fn clean(&self, version: &str) -> MigrationRunStatus {
        let clean = |status: &MigrationRunStatus| {
            condition(status, "Ready") == "True"
                && status.clean.as_ref().is_some_and(|clean| clean.image == image(version))
        };
        self.world().status("shop", &format!("{version} to be clean"), clean).await
    }

    /// 1.2 has failed and is held, and 1.1 serves.
    async fn fails(&self, step: &str) {
        let status = self.world().stalled("shop").await;
        assert_eq!(failure(&status), ("DataConflict".into(), "UniqueViolation".into()), "{step}");
        self.scene.held(step).await;
        self.scene.serve(step, "1.1", 2).await;
    }

    /// The Deployment is let go with 1.1, of which no pod was replaced; the run finds what the database has on record.
    async fn back(&self, step: &str, pods: &[String]) {
        self.scene.comes_through(step, "1.1", 2).await;
        assert_eq!(self.scene.pods(), pods, "{step}: what served was replaced");
        assert!(!self.paused().await, "{step}");
        let blocked = |status: &MigrationRunStatus| {
            status.failure.as_ref().is_some_and(|failure| failure.class == "Blocked")
                && condition(status, "Stalled") == "True"
        };
        self.world().status("shop", &format!("1.1 to be blocked by 1.2 (step: {step})"), blocked).await;
        assert!(!self.paused().await, "{step}: its image is approved, whatever the run says");
    }

    /// The failed migration is taken off the record by hand, as the run says.
    async fn mended(&self, token: &str) {
        cluster::sql(DATABASE, "UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL");
        self.world().retry("shop", token);
        self.clean("1.1").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_chart_goes_through_its_life() {
    let _operator = undisturbed().await;
    let world = World::with_database(DATABASE).await;
    let shop = Shop { helm: Helm::of(&world.namespace, "shop"), scene: Scene::watched(&world, "shop").await };
    shop.comes_through("helm install --wait", "1.0", &["--wait", "--timeout", "90s"]).await;
    shop.scene.ask();
    shop.comes_through("helm upgrade --wait", "1.1", &["--wait", "--timeout", "90s"]).await;
    a_failing_release(&shop).await;
    a_failing_release_that_helm_takes_back(&shop).await;
    if shop.helm.major > 3 {
        helm_gives_up_in_the_middle_of_a_migration(&shop).await;
    }
    shop.comes_through("a fix", "1.4", &["--wait", "--timeout", "90s"]).await;
    a_rollback_by_sluice_is_no_conflict(&shop).await;
    assert_eq!(shop.scene.heard("the end"), ["1.0", "1.1", "1.4"]);
    uninstalled(&shop).await;
}

async fn a_failing_release(shop: &Shop) {
    let (step, before) = ("helm upgrade --wait to a release that fails", shop.helm.status());
    let said = shop.deploys("1.2", &["--wait", "--timeout", "90s"]);
    if shop.helm.major == 3 {
        shop.succeeded(step, &said, "1.2").await;
    } else {
        assert!(!said.ok && said.text.contains("MigrationRun"), "{step}: {}", said.text);
        assert_eq!(condition(&shop.run().await, "Stalled"), "True", "{step}: as soon as the run says so");
        assert_eq!(shop.helm.status(), (before.0 + 1, "failed".to_owned()), "{step}");
    }
    shop.fails(step).await;

    let (step, pods) = ("helm rollback", shop.scene.pods());
    shop.helm.does("rollback", &[]);
    shop.back(step, &pods).await;
    assert_eq!(shop.helm.status(), (before.0 + 2, "deployed".to_owned()), "{step}");
    shop.mended("after-rollback").await;
}

/// `--rollback-on-failure`, which Helm 3 calls `--atomic`.
async fn a_failing_release_that_helm_takes_back(shop: &Shop) {
    let (step, pods, before) = ("helm upgrade that is to go back", shop.scene.pods(), shop.helm.status());
    if shop.helm.major == 3 {
        // Nothing has failed yet when Helm looks, so there is nothing to take back: the release stays, held.
        let said = shop.deploys("1.2", &["--atomic", "--timeout", "90s"]);
        shop.succeeded(step, &said, "1.2").await;
        shop.fails(step).await;
        shop.helm.does("rollback", &[]);
    } else {
        let said = shop.deploys("1.2", &["--rollback-on-failure", "--timeout", "90s"]);
        assert!(!said.ok && said.text.contains("MigrationRun"), "{step}: {}", said.text);
        // It goes back, waits for the run again, and that is blocked by what has failed.
        assert_eq!(shop.helm.status(), (before.0 + 2, "failed".to_owned()), "{step}");
    }
    shop.back(step, &pods).await;
    shop.mended("after-going-back").await;
}

/// A timeout that is shorter than the migration.
async fn helm_gives_up_in_the_middle_of_a_migration(shop: &Shop) {
    let (step, pods) = ("helm gives up in the middle of a migration", shop.scene.pods());
    let said = shop.deploys("1.4", &["--rollback-on-failure", "--timeout", "2s"]);
    assert!(!said.ok && said.text.contains("deadline"), "{step}: {}", said.text);
    let ended = |status: &MigrationRunStatus| {
        let of_it = status.attempts.iter().find(|attempt| attempt.image == image("1.4"));
        of_it.is_some_and(|attempt| attempt.outcome.is_some()) && condition(status, "Finished") == "True"
    };
    let status = shop.world().status("shop", "the migration to end", ended).await;
    let attempt = status.attempts.iter().find(|attempt| attempt.image == image("1.4")).unwrap();
    assert_eq!((attempt.migrate.exit_code, attempt.outcome), (Some(0), Some(AttemptOutcome::Superseded)), "{step}");
    shop.scene.comes_through(step, "1.1", 2).await;
    assert_eq!(shop.scene.pods(), pods, "{step}: what served was replaced");
}

/// Sluice takes the release back without a change of its template, so the next upgrade by Helm meets no other owner of a field.
async fn a_rollback_by_sluice_is_no_conflict(shop: &Shop) {
    let rollback = |state: RollbackState| {
        move |status: &MigrationRunStatus| {
            status.targets.iter().any(|target| target.rollback.as_ref().is_some_and(|rollback| rollback.state == state))
        }
    };
    shop.world().status("shop", "the plan of a rollback", rollback(RollbackState::Planned)).await;
    shop.world().kubectl(&["annotate", "--overwrite", "mrun", "shop", "sluice.dev/rollback=night"]);
    let step = "a rollback by Sluice";
    shop.world().status("shop", "the rollback to be done", rollback(RollbackState::Done)).await;
    shop.scene.held(step).await;
    shop.scene.serve(step, "1.1", 2).await;

    let step = "helm upgrade of what is rolled back";
    let said = shop.deploys("1.4", &["--set", "replicas=3"]);
    assert!(said.ok, "{step}: {}", said.text);
    shop.scene.held(step).await;
    shop.scene.serve(step, "1.1", 3).await;
    shop.world().retry("shop", "again");
    shop.scene.comes_through("let go again", "1.4", 3).await;
}

/// In the middle of a migration, which goes on to its end.
async fn uninstalled(shop: &Shop) {
    let (step, world) = ("helm uninstall", shop.world());
    let migrate = json!({ "image": "localhost/busybox:1", "command": ["sh", "-c", SLOW] });
    let said = shop.deploys("1.4", &["--set-json", &format!("migrate={migrate}")]);
    assert!(said.ok, "{}", said.text);
    let migration = Migration::under_way(world, "shop").await;
    shop.scene.leave(step);
    shop.helm.does("uninstall", &["--wait", "--timeout", "90s"]);
    shop.scene.serve(step, "1.4", 0).await;
    world.until("shop", "the Deployment to be gone", |found: Option<&Deployment>| found.is_none()).await;
    world.until("shop", "the Service to be gone", |found: Option<&Service>| found.is_none()).await;
    world.until("shop", "the run to be gone", |run: Option<&MigrationRun>| run.is_none()).await;
    migration.ends_well(step).await;
}
