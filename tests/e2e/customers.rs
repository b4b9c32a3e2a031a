//! Who looks on: customers, who ask a Service without a pause, and a witness, who sees every pod.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::{PATIENCE, World};

/// Between two questions: what a quick client needs for itself.
const BREATH: Duration = Duration::from_millis(5);

/// Asks the Service without a pause, as the shop's customers would, and counts the answers by release.
pub struct Customers {
    answers: watch::Receiver<BTreeMap<String, usize>>,
    asking: JoinHandle<()>,
}

impl Customers {
    /// They ask until they are dropped.
    pub fn ask(client: Client, namespace: &str, service: &str) -> Self {
        let path = format!("/api/v1/namespaces/{namespace}/services/{service}:80/proxy/");
        let (counted, answers) = watch::channel(BTreeMap::new());
        let asking = tokio::spawn(async move {
            loop {
                let request = http::Request::get(&path).body(Vec::new()).unwrap();
                let answer = match client.request_text(request).await {
                    Ok(text) => release_of(&text),
                    Err(error) => format!("no answer: {error}"),
                };
                counted.send_modify(|counted| *counted.entry(answer).or_default() += 1);
                tokio::time::sleep(BREATH).await;
            }
        });
        Self { answers, asking }
    }

    /// How often which release has answered so far.
    pub fn heard(&self) -> BTreeMap<String, usize> {
        self.answers.borrow().clone()
    }

    /// The same, for whoever waits to hear of a release.
    pub fn listen(&self) -> watch::Receiver<BTreeMap<String, usize>> {
        self.answers.clone()
    }
}

impl Drop for Customers {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

fn release_of(answer: &str) -> String {
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    answer["release"].as_str().unwrap_or("not understood").to_owned()
}

/// What is known of the pods of an app.
#[derive(Clone, Default)]
pub struct Seen {
    /// Those that are there.
    pub now: BTreeMap<String, Pod>,
    /// Each image that one of them has ever had, with the first pod that had it.
    pub ever: BTreeMap<String, String>,
    /// How often the list began anew: pods can have come and gone between two.
    lists: usize,
}

/// Sees every pod of an app for as long as it lives.
pub struct Witness {
    seen: watch::Receiver<Seen>,
    watching: JoinHandle<()>,
}

impl Witness {
    /// Begins to look; of each pod it is the first container that counts.
    pub async fn of(world: &World, app: &str) -> Self {
        let (tell, seen) = watch::channel(Seen::default());
        let pods: Api<Pod> = world.api();
        let watched = watcher(pods, watcher::Config::default().labels(&format!("app={app}")));
        let mut events = watched.default_backoff().boxed();
        let watching = tokio::spawn(async move {
            loop {
                let event = events.try_next().await;
                if let Ok(Some(event)) = event {
                    tell.send_modify(|seen| note(seen, event));
                }
            }
        });
        let mut listed = seen.clone();
        listed.wait_for(|seen| seen.lists > 0).await.unwrap();
        Self { seen, watching }
    }

    /// Waits until what is seen satisfies; else the last that was seen.
    pub async fn until(&self, satisfied: impl Fn(&Seen) -> bool) -> Result<Seen, Seen> {
        let mut seen = self.seen.clone();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| satisfied(seen))).await;
        match waited {
            Ok(seen) => Ok(seen.unwrap().clone()),
            Err(_) => Err(self.seen.borrow().clone()),
        }
    }

    /// What is seen.
    pub fn sees(&self) -> Seen {
        let seen = self.seen.borrow().clone();
        assert_eq!(seen.lists, 1, "the watch broke off, so a pod can have come and gone unseen");
        seen
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn note(seen: &mut Seen, event: watcher::Event<Pod>) {
    match event {
        watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) => {
            let image = image_of(&pod).to_owned();
            seen.ever.entry(image).or_insert_with(|| pod.name_any());
            seen.now.insert(pod.name_any(), pod);
        }
        watcher::Event::Delete(pod) => drop(seen.now.remove(&pod.name_any())),
        watcher::Event::Init => seen.now.clear(),
        watcher::Event::InitDone => seen.lists += 1,
    }
}

/// The image of its first container.
pub fn image_of(pod: &Pod) -> &str {
    pod.spec.as_ref().and_then(|spec| spec.containers[0].image.as_deref()).unwrap_or_default()
}

/// Whether it serves and is not about to end.
pub fn serves(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}
