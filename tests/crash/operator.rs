//! The operator as a library, on a connection of the test.

use std::sync::Arc;
use std::time::Duration;

use sluice::controller::{self, Settings};
use sluice::runtime::client::connect_with;
use sluice::runtime::clock::SystemClock;
use sluice::runtime::lease::{LeaderElection, Timing};
use sluice::runtime::metrics::Metrics;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::wire::{Fault, LEADER_LEASE, Wire};

const LEASE_DURATION: Duration = Duration::from_secs(5);

/// An operator that is stopped, with all that it does, when its value goes.
pub struct Operator {
    pub wire: Wire,
    metrics: Metrics,
    ready: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Operator {
    /// One that needs nobody's consent, with empty caches.
    pub fn start(cluster: &Cluster, namespace: &str, fault: Option<Fault>) -> Self {
        Self::begin(cluster, namespace, fault, None)
    }

    /// One of several replicas.
    pub fn candidate(cluster: &Cluster, namespace: &str, fault: Option<Fault>, identity: &str) -> Self {
        Self::begin(cluster, namespace, fault, Some(identity))
    }

    fn begin(cluster: &Cluster, namespace: &str, fault: Option<Fault>, identity: Option<&str>) -> Self {
        let (wire, metrics) = (Wire::new(fault), Metrics::new());
        let client = connect_with(cluster.config.clone(), Duration::from_secs(10), &metrics, &wire).unwrap();
        let (tell, ready) = watch::channel(false);
        let on_ready = move || {
            tell.send_replace(true);
            // The operator forgets what it has called; a sender that is gone would end the wait.
            std::mem::forget(tell);
        };
        let mut settings = Settings {
            namespace: namespace.to_owned(),
            watch_namespaces: vec![namespace.to_owned()],
            concurrency: 4,
            enforcement: Default::default(),
            clock: Arc::new(SystemClock),
            leadership: None,
            metrics: metrics.clone(),
        };
        let election = identity.map(|identity| {
            LeaderElection::new(client.clone(), namespace, LEADER_LEASE, identity, Timing::of(LEASE_DURATION))
        });
        let task = tokio::spawn(async move {
            let Some(election) = election else {
                return controller::run(client, settings, on_ready, std::future::pending()).await;
            };
            let leadership = election.leadership();
            settings.leadership = Some(leadership.clone());
            let work = async {
                leadership.acquired().await;
                let lost = leadership.clone();
                controller::run(client, settings, on_ready, async move { lost.lost().await }).await;
            };
            futures::join!(election.run(std::future::pending()), work);
        });
        Self { wire, metrics, ready, task }
    }

    /// Resolves when it works: its caches are filled, and it leads where that is asked for.
    pub async fn ready(&self) {
        self.ready.clone().wait_for(|ready| *ready).await.unwrap();
    }

    /// Passes over runs so far.
    pub fn passes(&self) -> u64 {
        let text = self.metrics.encode().unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("sluice_reconcile_seconds_count "));
        count.expect("no count of passes").trim().parse().unwrap()
    }

    /// Resolves when it has looked at the run `more` times. Passes are no object that could be watched.
    pub async fn looked(&self, more: u64) {
        let wanted = self.passes() + more;
        while self.passes() < wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Resolves when it has ended by itself.
    pub async fn ended(mut self) {
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.task.abort();
    }
}
