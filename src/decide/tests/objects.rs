//! Runs as others see them, in each row of the contract's table: what the health checks of GitOps tools are tried on, by
//! `tests/gitops/offline`. The snapshot is its input.

use serde_json::{Value, json};

use super::gate::{held, open, target, with_targets};
use super::release::{clean, stalled};
use super::*;
use crate::decide::custody::{Progress, WayBack};
use crate::decide::observed::TargetSeen;

/// The object after a pass.
fn object(mut seen: Observed) -> Value {
    pass(&mut seen);
    json!({
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "MigrationRun",
        "metadata": { "name": seen.run.name, "namespace": seen.run.namespace, "generation": seen.run.generation },
        "spec": *seen.spec,
        "status": *seen.status,
    })
}

fn suspended(mut seen: Observed) -> Observed {
    seen.spec = Arc::new(MigrationRunSpec { suspend: Some(true), ..(*seen.spec).clone() });
    seen
}

fn retried() -> Observed {
    let mut seen = migrating();
    seen.migrate = job(&seen, "migrate", ended(UNREACHABLE, 1, Step::Migrate), false);
    pass(&mut seen);
    seen
}

/// One that was let go, and whose rollback has come so far.
fn rolled_back(progress: Progress) -> Observed {
    let way = || Some(Ok(WayBack { images: vec!["shop:0".into()], extra_pods: 2, ..WayBack::default() }));
    let mut seen = with_targets(clean(), vec![TargetSeen { way_back: way(), ..open() }]);
    seen.run.rollback = Some(("t".to_owned(), None));
    pass(&mut seen);
    seen.targets = vec![TargetSeen { way_back: way(), progress: Some(progress), ..held() }];
    seen
}

#[test]
fn the_objects_that_health_checks_are_tried_on() {
    let gone = || vec![target("shop", None)];
    let way = || Some(Ok(WayBack { images: vec!["shop:0".into()], extra_pods: 2, ..WayBack::default() }));
    let failed_rollout = || {
        let mut target = TargetSeen { way_back: way(), ..open() };
        target.serving.failed = Some("ReplicaSet shop-2 has timed out progressing".into());
        target
    };
    let table = [
        ("queued", observed()),
        ("migrating", migrating()),
        ("retrying by itself", retried()),
        ("suspended", suspended(observed())),
        ("stalled", with_targets(stalled(), vec![held()])),
        ("clean, its target is not there", with_targets(clean(), gone())),
        ("clean, gate open", with_targets(clean(), vec![TargetSeen { way_back: way(), ..open() }])),
        ("clean, no targets", clean()),
        ("clean, its rollout fails", with_targets(clean(), vec![failed_rollout()])),
        ("rolling back", rolled_back(Progress::UnderWay("1 of 2".into()))),
        ("rolled back", rolled_back(Progress::Done)),
    ];
    let objects: serde_json::Map<String, Value> =
        table.into_iter().map(|(name, seen)| (name.to_owned(), object(seen))).collect();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../tests/gitops");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_json_snapshot!("runs", objects));
}
