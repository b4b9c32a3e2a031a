//! Releases that are clean, and what of them is kept.

use serde_json::json;

use crate::cluster::{self, undisturbed};
use crate::world::{World, condition, failure};

#[tokio::test]
async fn a_clean_run_migrates_once_and_the_same_applied_again_does_nothing() {
    let _operator = undisturbed().await;
    let world = World::with_database("clean").await;
    world.shop("shop", "1.0", json!({}));
    let status = world.clean("shop").await;
    assert_eq!(status.step.as_deref(), Some("Succeeded"));
    assert_eq!(condition(&status, "Succeeded"), "True");
    assert_eq!(condition(&status, "Finished"), "True");
    assert_eq!(condition(&status, "Reconciling"), "");
    assert_eq!(cluster::sql("clean", "SELECT count(*) FROM _prisma_migrations WHERE finished_at IS NOT NULL"), "2");
    world.event("shop", "Clean").await;

    // Another label and another timeout are no other release.
    let jobs = world.job_names("shop").await;
    world.shop("shop", "1.0", json!({ "migrate": { "timeout": "31m" } }));
    let status = world.status("shop", "the new generation", |status| status.observed_generation == 2).await;
    assert_eq!(condition(&status, "Ready"), "True");
    assert_eq!(world.job_names("shop").await, jobs, "a clean release was migrated again");

    world.shop("shop", "1.1", json!({}));
    let status = world.status("shop", "1.1 clean", |status| {
        status.clean.as_ref().is_some_and(|clean| clean.image.ends_with(":1.1")) && condition(status, "Ready") == "True"
    });
    assert_eq!(status.await.observed_generation, 3);
    assert_eq!(
        cluster::sql("clean", "SELECT count(*) FROM information_schema.columns WHERE column_name = 'currency'"),
        "1"
    );
}

#[tokio::test]
async fn a_run_created_again_for_a_release_that_the_database_has_is_ready_and_changes_nothing() {
    let _operator = undisturbed().await;
    let world = World::with_database("again").await;
    world.shop("shop", "1.0", json!({}));
    world.clean("shop").await;
    let before = cluster::sql("again", "SELECT max(finished_at) FROM _prisma_migrations");
    world.kubectl(&["delete", "mrun", "shop"]);
    world.shop("shop", "1.0", json!({}));
    world.clean("shop").await;
    assert_eq!(cluster::sql("again", "SELECT max(finished_at) FROM _prisma_migrations"), before);
}

#[tokio::test]
async fn finished_jobs_of_the_last_releases_are_kept() {
    let _operator = undisturbed().await;
    let world = World::new("history").await;
    for release in ["1", "2", "3"] {
        world.script("app", &format!("echo {release}"), json!({ "history": { "limit": 2 } }));
        world
            .status("app", "clean", |status| {
                status.observed_generation.to_string() == release && condition(status, "Ready") == "True"
            })
            .await;
    }
    let kept = |generation: &str| {
        let selector = format!("sluice.dev/generation={generation}");
        world.kubectl(&["get", "jobs", "-l", &selector, "-o", "name"]).lines().count()
    };
    world
        .until::<k8s_openapi::api::batch::v1::Job>(&first_job(&world).await, "the oldest Jobs to go", |job| {
            job.is_none()
        })
        .await;
    assert_eq!((kept("2"), kept("3")), (2, 2));
}

async fn first_job(world: &World) -> String {
    let status = world.clean("app").await;
    status.attempts.first().unwrap().migrate.job.clone()
}

#[tokio::test]
async fn an_image_without_migrations_is_not_clean_unless_that_is_allowed() {
    let _operator = undisturbed().await;
    let world = World::with_database("empty").await;
    let hidden = json!({ "podTemplate": { "spec": {
        "containers": [
            { "name": "migrate", "volumeMounts": [{ "name": "none", "mountPath": "/app/prisma/migrations" }] },
            { "name": "check", "volumeMounts": [{ "name": "none", "mountPath": "/app/prisma/migrations" }] },
        ],
        "volumes": [{ "name": "none", "emptyDir": {} }],
    }}});
    world.shop("shop", "1.0", hidden);
    assert_eq!(failure(&world.stalled("shop").await), ("Config".into(), "NoMigrations".into()));
    world.kubectl(&["patch", "mrun", "shop", "--type=merge", "-p", r#"{"spec":{"migrate":{"allowEmpty":true}}}"#]);
    world.clean("shop").await;
}

#[tokio::test]
async fn a_native_sidecar_and_a_plain_one_keep_no_job_open() {
    let _operator = undisturbed().await;
    let world = World::new("sidecars").await;
    let sidecar = |name: &str| json!({ "name": name, "image": "localhost/busybox:1", "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"] });
    let mut native = sidecar("proxy");
    native["restartPolicy"] = json!("Always");
    let template = json!({ "spec": { "initContainers": [native], "containers": [sidecar("agent")], "terminationGracePeriodSeconds": 2 } });
    world.script("app", "echo migrated", json!({ "podTemplate": template }));
    world.clean("app").await;
    for job in world.job_names("app").await {
        world
            .until::<k8s_openapi::api::batch::v1::Job>(&job, "the Job to end", |job| {
                let conditions = job
                    .and_then(|job| job.status.as_ref())
                    .and_then(|status| status.conditions.clone())
                    .unwrap_or_default();
                conditions.iter().any(|condition| {
                    ["Complete", "Failed"].contains(&condition.type_.as_str()) && condition.status == "True"
                })
            })
            .await;
    }
}
