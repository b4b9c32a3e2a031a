//! Holds the rights that the chart grants equal to those that effects and watches need, both ways.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use serde_json::Value;
use sluice::decide::Effect;
use sluice::decide::observed::Fence;
use sluice::decide::sweep::Sweep;
use sluice::decide::upkeep::Upkeep;
use sluice::gate::Change;

type Granted = BTreeSet<(String, String, String)>;

/// Reads, the record, Events and leader election: all that is not an effect.
const BESIDES: [(&str, &str, &[&str]); 12] = [
    ("sluice.dev", "migrationruns", &["get", "list", "watch"]),
    ("sluice.dev", "migrationruns/status", &["get", "patch", "update"]),
    ("batch", "jobs", &["get", "list", "watch"]),
    ("apps", "deployments", &["get", "list", "watch"]),
    ("apps", "replicasets", &["list", "watch"]),
    ("apps", "controllerrevisions", &["list"]),
    ("", "pods", &["get", "list", "watch"]),
    ("", "pods/log", &["get"]),
    ("", "events", &["list", "watch"]),
    ("events.k8s.io", "events", &["create", "patch"]),
    ("coordination.k8s.io", "leases", &["get", "list", "watch"]),
    ("coordination.k8s.io", "leases", &["create", "update"]),
];

fn effects() -> Vec<Effect> {
    vec![
        Effect::AcquireLock { database: String::new() },
        Effect::ReleaseLock(Fence::default()),
        Effect::CreateMigrateJob { name: String::new(), attempt: 1 },
        Effect::ResumeJob(Fence::default()),
        Effect::CreateBudget { attempt: 1, job: Fence::default() },
        Effect::DeleteBudget { name: String::new() },
        Effect::CreateCheckJob { name: String::new(), attempt: 1 },
        Effect::EndJob(Fence::default()),
        Effect::DeleteJob(Fence::default()),
        Effect::ApproveImages { deployment: Fence::default(), approved: sluice::gate::Approved::default() },
        Effect::RevokeImages { deployment: Fence::default(), approved: sluice::gate::Approved::default() },
    ]
}

fn upkeep() -> Vec<Upkeep> {
    let manifest = Value::Null;
    vec![
        Upkeep::WriteRule(Change::default()),
        Upkeep::DeleteReplicaSet(Fence::default()),
        Upkeep::RestoreReplicaSet { manifest: manifest.clone(), replicas: 0 },
        Upkeep::KeepRevision { number: 1, manifest },
        Upkeep::DropRevision(Fence::default()),
        Upkeep::TakeCustody(Box::default()),
        Upkeep::ScaleCustody(Box::default()),
        Upkeep::GiveBack(Box::default()),
        Upkeep::ExplainHold(None),
    ]
}

fn needed() -> Granted {
    let besides =
        BESIDES.iter().flat_map(|(group, resource, verbs)| verbs.iter().map(move |verb| (*group, *resource, *verb)));
    let effects = effects();
    let upkeep = upkeep();
    let sweep =
        [Sweep::Drop(Fence::default()), Sweep::Mark(Fence::default(), None), Sweep::DropCustody(Fence::default())];
    let rights = effects.iter().map(Effect::right).chain(upkeep.iter().map(Upkeep::right));
    let rights = rights.chain(sweep.iter().map(Sweep::right));
    besides
        .chain(rights)
        .map(|(group, resource, verb)| (group.to_owned(), resource.to_owned(), verb.to_owned()))
        .collect()
}

/// For the whole cluster, and for one namespace.
const MANIFESTS: [&str; 2] =
    [include_str!("../deploy/install.yaml"), include_str!("../deploy/namespaced/install.yaml")];

/// What the operator is granted by `manifests`.
fn granted(manifests: &str) -> Granted {
    let words = |rule: &Value, field: &str| -> Vec<String> {
        rule[field].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut granted = Granted::new();
    for document in manifests.split("\n---\n") {
        let Ok(object) = serde_saphyr::from_str::<Value>(document) else { continue };
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let role = ["ClusterRole", "Role"].contains(&object["kind"].as_str().unwrap_or_default());
        if !role || !["sluice", "sluice-leases"].contains(&name) {
            continue;
        }
        for rule in object["rules"].as_array().unwrap() {
            for group in words(rule, "apiGroups") {
                for resource in words(rule, "resources") {
                    for verb in words(rule, "verbs") {
                        granted.insert((group.clone(), resource.clone(), verb));
                    }
                }
            }
        }
    }
    granted
}

#[test]
fn the_chart_grants_what_is_needed_and_no_more() {
    for manifests in MANIFESTS {
        let (needed, granted) = (needed(), granted(manifests));
        assert_eq!(
            needed.difference(&granted).collect::<Vec<_>>(),
            Vec::<&_>::new(),
            "missing in charts/sluice/templates/_rules.tpl"
        );
        assert_eq!(granted.difference(&needed).collect::<Vec<_>>(), Vec::<&_>::new(), "granted but not needed");
    }
}

#[test]
fn for_a_namespace_nothing_is_granted_beyond_it() {
    let [cluster, namespace] = MANIFESTS;
    assert!(cluster.contains("\nkind: ClusterRoleBinding\n") && !namespace.contains("kind: Cluster"));
    assert!(namespace.split("\n---\n").skip(1).all(|object| object.contains("\n  namespace: ")));
}

#[test]
fn no_secret_and_no_wildcard() {
    for granted in MANIFESTS.map(granted) {
        let mut words = granted.iter().flat_map(|(group, resource, verb)| [group, resource, verb]);
        assert!(words.all(|word| !word.contains('*') && !word.contains("secret")));
    }
}
