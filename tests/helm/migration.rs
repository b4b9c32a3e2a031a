//! A migration that runs for as long as a test wants, and nobody who ends it but the test.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use sluice::api::MigrationRunStatus;

use crate::world::World;

/// Lasts until it is let go, five minutes at most.
pub const SLOW: &str = "for i in $(seq 3000); do [ -e /tmp/go ] && exit; sleep 0.1; done; exit 1";

/// The one migration of a run that is under way.
pub struct Migration {
    world: World,
    run: String,
    job: String,
    pod: String,
}

impl Migration {
    /// Waits until the run's newest migration runs.
    pub async fn under_way(world: &World, run: &str) -> Self {
        let started = |status: &MigrationRunStatus| {
            status.active_attempt().is_some_and(|active| active.migrate.started_at.is_some())
        };
        let status = world.status(run, "migrate to run", started).await;
        let job = status.active_attempt().unwrap().migrate.job.clone();
        let of_it = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
        let mut pods = world.api::<Pod>().list(&of_it).await.unwrap().items;
        assert_eq!(pods.len(), 1, "{job} has one pod");
        Self { world: world.clone(), run: run.to_owned(), job, pod: pods.remove(0).name_any() }
    }

    /// It runs, and nobody is ending it.
    pub async fn undisturbed(&self, step: &str) {
        let pod = self.world.api::<Pod>().get(&self.pod).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        assert_eq!((phase, &pod.metadata.deletion_timestamp), (Some("Running"), &None), "{step}: {}", self.run);
    }

    /// Lets it end, which it does well, and waits for the end of its Job.
    pub async fn ends_well(&self, step: &str) {
        self.undisturbed(step).await;
        self.world.kubectl(&["exec", &self.pod, "-c", "migrate", "--", "touch", "/tmp/go"]);
        let complete = |job: Option<&Job>| {
            let conditions =
                job.and_then(|job| job.status.as_ref()).into_iter().flat_map(|status| status.conditions.iter());
            let ended = conditions
                .flatten()
                .find(|found| ["Complete", "Failed"].contains(&&*found.type_) && found.status == "True");
            ended.is_some_and(|ended| {
                assert_eq!(ended.type_, "Complete", "{step}: the migration was disturbed");
                true
            })
        };
        self.world.until(&self.job, "the migration to end", complete).await;
        self.only_one(step).await;
    }

    /// Nothing has migrated but this pod, as far as there are pods: those of the generation before may be kept.
    pub async fn only_one(&self, step: &str) {
        let this = self.world.api::<Pod>().get(&self.pod).await.unwrap();
        let generation = &this.labels()["sluice.dev/generation"];
        let of_it = format!("sluice.dev/run={},sluice.dev/step=migrate,sluice.dev/generation={generation}", self.run);
        let pods = self.world.api::<Pod>().list(&ListParams::default().labels(&of_it)).await.unwrap();
        let pods: Vec<String> = pods.iter().map(ResourceExt::name_any).collect();
        assert_eq!(pods, std::slice::from_ref(&self.pod), "{step}: {} migrated again", self.run);
    }
}
