//! A migration that runs for as long as a test wants, and nobody who ends it but the test.

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
        Self { world: world.clone(), run: run.to_owned(), pod: pods.remove(0).name_any() }
    }

    /// It runs, and nobody is ending it.
    pub async fn undisturbed(&self, step: &str) {
        let pod = self.world.api::<Pod>().get(&self.pod).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        assert_eq!((phase, &pod.metadata.deletion_timestamp), (Some("Running"), &None), "{step}: {}", self.run);
    }

    /// Lets it end, which it does well. Its pod may go at once then, so that it is looked at before.
    pub async fn ends_well(&self, step: &str) {
        self.undisturbed(step).await;
        let (world, pod, step) = (self.world.clone(), self.pod.clone(), step.to_owned());
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
            world.until(&pod, "the migration to end", ended).await;
        });
        looks.changed().await.unwrap();
        self.world.kubectl(&["exec", &self.pod, "-c", "migrate", "--", "touch", "/tmp/go"]);
        end.await.unwrap();
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
