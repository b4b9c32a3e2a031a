//! Plays a case at every write of a story, some at a time, and tells what came of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::LazyLock;
use std::time::Instant;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use crate::PATIENCE;
use crate::case;
use crate::cluster::Cluster;
use crate::scene::{Ending, Scene};
use crate::story::Story;
use crate::wire::{Fault, Kind};

/// Cases that are played at once, in all tests together.
static PLACES: Semaphore = Semaphore::const_new(8);

/// What tells this run of the tests from others on the same cluster.
static TAG: LazyLock<String> =
    LazyLock::new(|| format!("{:x}", jiff::Timestamp::now().as_millisecond() & 0xff_ffff_ffff));

/// The writes and the end of a story that nothing disturbs; played once.
pub async fn undisturbed(story: Story) -> (Vec<String>, Ending) {
    static PLAYED: Mutex<BTreeMap<Story, (Vec<String>, Ending)>> = Mutex::const_new(BTreeMap::new());
    let mut played = PLAYED.lock().await;
    if let Some(known) = played.get(&story) {
        return known.clone();
    }
    let cluster = Cluster::connect().await;
    let name = unique(story.name());
    let scene = Scene::open(&cluster, &name, story).await;
    let writes = timeout(PATIENCE, case::undisturbed(&scene)).await.expect("an undisturbed run does not end");
    let ending = scene.ending().await;
    close(&cluster, &name).await;
    told(story, &ending);
    say(&format!("{}: {} writes: {}", story.name(), writes.len(), writes.join(", ")));
    played.insert(story, (writes.clone(), ending.clone()));
    (writes, ending)
}

/// The end to which all others are compared is the story's own.
fn told(story: Story, ending: &Ending) {
    let (ready, outcome, class, pods) = match story {
        Story::Clean => ("True", "Clean", None, 2),
        Story::Conflict => ("False", "Failed", Some("DataConflict"), 2),
        Story::Retried => ("True", "Clean", None, 3),
        Story::Released => ("True", "Clean", None, 2),
        Story::RolledBack => ("False", "", None, 0),
    };
    let is_ready = ending.conditions.iter().find(|is| is[0] == "Ready").map(|is| is[1].as_str());
    let last = ending.attempts.last().and_then(|(_, outcome, _)| *outcome);
    assert_eq!(is_ready, Some(ready), "{ending:#?}");
    assert_eq!(last.map(|last| format!("{last:?}")).unwrap_or_default(), outcome, "{ending:#?}");
    assert_eq!(ending.failure.as_ref().map(|failure| failure.class.as_str()), class, "{ending:#?}");
    let (approved, sets): (&[&str], _) = match story {
        Story::Released => (&["shop:1\nshop:0"], vec![("shop:0", 0)]),
        Story::RolledBack => (&["shop:0"], vec![("shop:0", 1)]),
        _ => (&[], vec![]),
    };
    assert_eq!(ending.approved, approved);
    assert_eq!(ending.sets, sets.into_iter().map(|(image, pods)| (image.to_owned(), pods)).collect());
    assert_eq!((ending.pods.len(), ending.budgets.len()), (pods, 0), "{ending:#?}");
}

/// Plays `case` for each kind at each write of each story; fails with all that went wrong.
pub async fn sweep<C>(stories: &[Story], kinds: &[Kind], case: C)
where
    C: AsyncFn(&Scene, Fault, &Ending) -> Result<(), String>,
{
    let cluster = Cluster::connect().await;
    let (mut wrong, mut done) = (Vec::new(), Vec::new());
    for story in stories {
        let (writes, wanted) = undisturbed(*story).await;
        let begun = Instant::now();
        let faults = kinds.iter().flat_map(|kind| {
            let at = if kind.is_at_a_write() { 1..=writes.len() } else { 0..=0 };
            at.map(|at| Fault { kind: *kind, at })
        });
        let mut playing: FuturesUnordered<_> =
            faults.map(|fault| play(&cluster, *story, fault, &case, &wanted)).collect();
        let cases = playing.len();
        while let Some(end) = playing.next().await {
            match end {
                Ok(namespace) => done.push(namespace),
                Err(why) => wrong.push(why),
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        say(&format!("{} {kinds:?}: {cases} cases in {seconds:.1} s", story.name()));
    }
    // Last, since it keeps a cluster busy; not waited for. What went wrong is left to be looked at.
    for namespace in done {
        close(&cluster, &namespace).await;
    }
    assert!(wrong.is_empty(), "{} cases went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

async fn close(cluster: &Cluster, namespace: &str) {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let _ = api.delete(namespace, &DeleteParams::background()).await;
}

/// The case's namespace, or what went wrong in it.
async fn play<C>(cluster: &Cluster, story: Story, fault: Fault, case: &C, wanted: &Ending) -> Result<String, String>
where
    C: AsyncFn(&Scene, Fault, &Ending) -> Result<(), String>,
{
    let _place = PLACES.acquire().await.unwrap();
    let at = if fault.kind.is_at_a_write() { format!(" at write {}", fault.at) } else { String::new() };
    let name = format!("{} {:?}{at}", story.name(), fault.kind);
    let namespace = unique(&format!("{}-{:?}-{}", story.name(), fault.kind, fault.at));
    let scene = Scene::open(cluster, &namespace, story).await;
    let result = match timeout(PATIENCE, case(&scene, fault, wanted)).await {
        Ok(result) => result,
        Err(_) => Err(format!("not in time, left as {}", serde_json::json!(scene.run().await.status))),
    };
    match result {
        Err(why) => Err(format!("{name} (namespace {namespace}): {why}")),
        Ok(()) => Ok(namespace),
    }
}

fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("crash-{}-{name}-{}", *TAG, NEXT.fetch_add(1, Ordering::Relaxed)).to_lowercase()
}

/// Past the test harness, which keeps what a passing test prints.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "crash: {line}");
}
