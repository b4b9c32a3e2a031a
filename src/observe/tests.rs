//! What the cache of pods may be believed for.

use kube::client::Body;
use kube::runtime::{reflector, watcher};
use serde_json::{Value, json};

use super::*;
use crate::decide::observed::ContainerSeen;

fn cache<K>(objects: impl IntoIterator<Item = K>) -> kube::runtime::reflector::Store<K>
where
    K: reflector::Lookup<DynamicType = ()> + Clone + 'static,
{
    let (reader, mut writer) = reflector::store();
    for object in objects {
        writer.apply_watcher_event(&watcher::Event::Apply(object));
    }
    reader
}

/// A run whose first attempt is on record, as the operator sees it whose pods' watch has brought `cached`, while the API
/// server has `actual`.
async fn observe(job_status: Value, cached: Option<Value>, actual: Value) -> ContainerSeen {
    let mut run = MigrationRun::new("shop", Default::default());
    (run.metadata.namespace, run.metadata.uid) = (Some("a".into()), Some("u".into()));
    let release = json!({ "image": "i", "databaseId": "d", "digest": "", "inputs": "", "generation": 0,
        "queuedAt": "1970-01-01T00:00:00Z" });
    let attempt = json!({ "number": 1, "generation": 0, "image": "i", "migrate": { "job": "", "uid": "j" } });
    run.status = serde_json::from_value(json!({ "release": release, "attempts": [attempt] })).unwrap();
    let owner = |kind: &str, uid: &str| json!([{ "apiVersion": "v1", "kind": kind, "name": "n", "uid": uid, "controller": true }]);
    let job = json!({ "metadata": { "name": names::job("shop", "u", 0, "migrate", 1), "namespace": "a", "uid": "j",
        "ownerReferences": owner("MigrationRun", "u") }, "status": job_status });
    let pod = |state: Value| {
        json!({ "metadata": { "name": "p", "namespace": "a", "ownerReferences": owner("Job", "j") },
            "status": { "containerStatuses": [{ "name": "migrate", "image": "i", "imageID": "", "ready": false,
                "restartCount": 0, "state": state }] } })
    };
    let answers = json!({ "metadata": {}, "items": [pod(actual)] });
    let absent = json!({ "kind": "Status", "status": "Failure", "message": "", "reason": "NotFound", "code": 404 });
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let found = request.uri().path().ends_with("/pods");
        let (code, body) = if found { (200, answers.to_string()) } else { (404, absent.to_string()) };
        async move { http::Response::builder().status(code).body(Body::from(body.into_bytes())) }
    });
    let cached = cached.map(|state| serde_json::from_value(pod(state)).unwrap());
    let observer = Observer {
        client: Client::new(service, "a"),
        caches: Caches {
            runs: cache([]),
            jobs: cache([serde_json::from_value(job).unwrap()]),
            pods: cache(cached),
            leases: cache([]),
            events: cache([]),
            deployments: cache([]),
            custody: cache([]),
        },
        watermarks: Watermarks::default(),
        namespace: "a".into(),
        watch_namespaces: Vec::new(),
        enforcement: Default::default(),
    };
    let observed = observer.observe(&Arc::new(run), Timestamp::from_second(1000).unwrap()).await;
    match observed.unwrap().migrate {
        JobSeen::Ours(job) => job.container,
        other => panic!("{other:?}"),
    }
}

fn ended() -> Value {
    json!({ "terminated": { "exitCode": 0, "reason": "Completed" } })
}

#[tokio::test]
async fn how_a_finished_job_has_ended_is_asked_where_the_cache_has_not_heard_of_it() {
    let complete = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
    for cached in [None, Some(json!({ "running": {} }))] {
        let seen = observe(complete.clone(), cached, ended()).await;
        assert!(matches!(&seen, ContainerSeen::Ended(end) if end.exit_code == Some(0)), "{seen:?}");
    }
}

#[tokio::test]
async fn that_a_pod_has_not_started_in_time_is_believed_from_the_api_server_alone() {
    let resumed = |at: &str| json!({ "startTime": at });
    let running = || json!({ "running": {} });
    let seen = observe(resumed("1970-01-01T00:00:00Z"), None, running()).await;
    assert!(matches!(seen, ContainerSeen::Running(_)), "{seen:?}");
    let seen = observe(resumed("1970-01-01T00:16:00Z"), None, running()).await;
    assert!(matches!(seen, ContainerSeen::Waiting(_)), "there is time: its event comes by itself; {seen:?}");
}

/// Names of the Jobs that go when the release of generation 2 is clean or stalled.
fn unneeded(jobs: impl IntoIterator<Item = Job>) -> Vec<String> {
    let mut run = MigrationRun::new("shop", Default::default());
    (run.metadata.namespace, run.metadata.uid) = (Some("a".into()), Some("u".into()));
    let release = json!({ "image": "i", "databaseId": "d", "digest": "", "inputs": "", "generation": 2,
        "queuedAt": "1970-01-01T00:00:00Z" });
    run.status = serde_json::from_value(json!({ "release": release })).unwrap();
    let service = tower::service_fn(async |_: http::Request<Body>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
    });
    let (pods, leases, events) = (cache([]), cache([]), cache([]));
    let observer = Observer {
        client: Client::new(service, "a"),
        caches: Caches {
            runs: cache([]),
            jobs: cache(jobs),
            pods,
            leases,
            events,
            deployments: cache([]),
            custody: cache([]),
        },
        watermarks: Watermarks::default(),
        namespace: "a".into(),
        watch_namespaces: Vec::new(),
        enforcement: Default::default(),
    };
    let observed = observer.blank(&Arc::new(run), Timestamp::UNIX_EPOCH);
    observer.expired(&observed).into_iter().map(|job| job.name).collect()
}

#[tokio::test]
async fn a_job_of_an_earlier_release_that_was_never_let_go_is_not_left_in_the_way() {
    let job = |name: &str, generation: i64, suspend: bool, status: Value| -> Job {
        let labels = json!({ labels::RUN_UID: "u", labels::GENERATION: generation.to_string() });
        let owner = json!([{ "apiVersion": "v1", "kind": "MigrationRun", "name": "shop", "uid": "u" }]);
        let template = json!({ "spec": { "containers": [] } });
        serde_json::from_value(json!({ "metadata": { "name": name, "namespace": "a", "uid": name, "labels": labels,
            "ownerReferences": owner }, "spec": { "suspend": suspend, "template": template }, "status": status }))
        .unwrap()
    };
    let jobs = [
        job("never-let-go", 1, true, json!({})),
        job("runs", 1, false, json!({ "startTime": "1970-01-01T00:00:00Z" })),
        job("kept", 1, false, json!({ "conditions": [{ "type": "Complete", "status": "True" }] })),
        job("current", 2, true, json!({})),
    ];
    assert_eq!(unneeded(jobs), ["never-let-go"]);
}
