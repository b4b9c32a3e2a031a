//! A watch of the test's own: what was seen, and at which instant.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(180);
/// Sightings that a slow reader may be behind.
const KEPT: usize = 1 << 16;

/// A watch that goes on until the program ends.
#[derive(Clone)]
pub struct Watch<K>(Sender<(Instant, Arc<K>)>);

/// Sightings from a moment on.
pub struct Sightings<K>(Receiver<(Instant, Arc<K>)>);

impl<K> Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    pub fn start(api: Api<K>, config: watcher::Config) -> Self {
        let (tell, _) = broadcast::channel(KEPT);
        let told = tell.clone();
        tokio::spawn(async move {
            let mut objects = watcher(api, config).default_backoff().applied_objects().boxed();
            while let Some(object) = objects.next().await {
                if let Ok(object) = object {
                    let _ = told.send((Instant::now(), Arc::new(object)));
                }
            }
        });
        Self(tell)
    }

    /// From now on. Ask before you do what is to be seen.
    pub fn sightings(&self) -> Sightings<K> {
        Sightings(self.0.subscribe())
    }
}

impl<K: Debug> Sightings<K> {
    /// The next sighting.
    pub async fn next(&mut self, what: &str) -> (Instant, Arc<K>) {
        match tokio::time::timeout(PATIENCE, self.0.recv()).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(RecvError::Lagged(missed))) => panic!("{what}: {missed} sightings were missed"),
            Ok(Err(RecvError::Closed)) | Err(_) => panic!("waited in vain for {what}"),
        }
    }

    /// The first sighting that satisfies.
    pub async fn first(&mut self, what: &str, satisfies: impl Fn(&K) -> bool) -> (Instant, Arc<K>) {
        loop {
            let seen = self.next(what).await;
            if satisfies(&seen.1) {
                return seen;
            }
        }
    }
}
