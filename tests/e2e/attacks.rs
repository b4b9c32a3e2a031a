//! What somebody who may edit everything in the namespace does to a held Deployment, for real: no pod of the release that is
//! held appears, and what serves goes on serving.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::ReplicaSet;
use serde_json::{Value, json};
use sluice::api::MigrationRunStatus;

use crate::cluster::{self, undisturbed};
use crate::releases::{SLOW, go};
use crate::scene::{Scene, image};
use crate::world::World;

/// A ServiceAccount with the ClusterRole edit, and no more.
pub struct Editor<'a> {
    scene: &'a Scene,
    name: String,
}

impl<'a> Editor<'a> {
    pub fn of(scene: &'a Scene) -> Self {
        let world = &scene.world;
        world.kubectl(&["create", "serviceaccount", "editor"]);
        let account = format!("{}:editor", world.namespace);
        world.kubectl(&["create", "rolebinding", "editor", "--clusterrole=edit", "--serviceaccount", &account]);
        Self { scene, name: format!("--as=system:serviceaccount:{account}") }
    }

    /// What the API server lets in: of no effect, as is looked at afterwards.
    pub fn does(&self, args: &[&str]) {
        let (done, text) = self.scene.world.try_kubectl(&[args, &[self.name.as_str()]].concat());
        assert!(done, "kubectl {}: {text}", args.join(" "));
    }

    /// What is refused, with these words.
    pub fn may_not(&self, args: &[&str], words: &str) {
        let (done, text) = self.scene.world.try_kubectl(&[args, &[self.name.as_str()]].concat());
        assert!(!done && text.contains(words), "kubectl {} should be refused with \"{words}\": {text}", args.join(" "));
    }

    /// Sends a manifest.
    pub fn sends(&self, args: &[&str], manifest: &Value) {
        let (namespace, name) = (self.scene.world.namespace.as_str(), self.name.as_str());
        let (done, text) = cluster::try_send(&[&["-n", namespace, name], args, &["-f", "-"]].concat(), manifest);
        assert!(done, "kubectl {} of {manifest}: {text}", args.join(" "));
    }

    pub fn annotates(&self, notes: &[&str]) {
        self.does(&[&["annotate", "--overwrite", "deployment", "app"], notes].concat());
    }
}

/// The release that serves, still, and the one that is held, still without a ReplicaSet.
async fn in_vain(scene: &Scene, step: &str) {
    scene.held(step).await;
    scene.serve(step, "1.0", 2).await;
    let images: BTreeSet<String> = scene.sets().await.into_iter().map(|(_, image, _)| image).collect();
    assert_eq!(images, BTreeSet::from([image("1.0")]), "after step \"{step}\"");
}

fn with(mut manifest: Value, path: &str, value: Value) -> Value {
    *manifest.pointer_mut(path).unwrap() = value;
    manifest
}

const CONTAINER: &str = "/spec/template/spec/containers/0";
const PLANTED: [&str; 2] = ["sluice.dev/approved-images=localhost/shop:1.1", "sluice.dev/held-by-"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_editor_starts_no_release_that_is_held() {
    let _operator = undisturbed().await;
    let scene = Scene::serving("gate-attacked", json!({})).await;
    scene.fails("1.1").await;
    let editor = Editor::of(&scene);
    let planted = || {
        let notes = json!({ "metadata": { "annotations": { "sluice.dev/approved-images": image("1.1"), "sluice.dev/held-by": null } } });
        scene.manifest("1.1", notes)
    };

    editor.annotates(&PLANTED);
    in_vain(&scene, "planted annotations").await;
    editor.annotates(&["sluice.dev/approved-images-", "sluice.dev/held-by=nobody"]);
    in_vain(&scene, "dropped and edited annotations").await;
    editor.does(&["rollout", "resume", "deployment/app"]);
    in_vain(&scene, "rollout resume").await;
    let paused = json!({ "spec": { "paused": false, "template": { "spec": { "terminationGracePeriodSeconds": 1 } } } });
    editor.does(&["patch", "deployment", "app", "-p", &paused.to_string()]);
    in_vain(&scene, "another template, and not paused").await;
    for (label, words) in [("=false", "no other"), ("=True", "no other"), ("-", "does not come off")] {
        editor.may_not(&["label", "--overwrite", "deployment", "app", &format!("sluice.dev/gated{label}")], words);
    }
    editor.may_not(&["annotate", "deployment", "app", "sluice.dev/bypass=localhost/shop:1.1 mine"], "needs the verb");
    in_vain(&scene, "label values, label removal, a bypass").await;
    editor.sends(&["replace"], &planted());
    in_vain(&scene, "replace").await;
    editor.sends(&["replace"], &scene.manifest("1.1", json!({ "metadata": { "annotations": {} } })));
    in_vain(&scene, "replace without annotations").await;
    editor.sends(&["apply", "--server-side", "--force-conflicts", "--field-manager=editor"], &planted());
    in_vain(&scene, "server-side apply by force").await;
    editor.does(&["set", "image", "deployment/app", "web=localhost/shop:1.3"]);
    in_vain(&scene, "set image on the Deployment").await;
    let renamed = with(scene.manifest("1.1", json!({})), &format!("{CONTAINER}/name"), json!("server"));
    editor.sends(&["replace"], &renamed);
    in_vain(&scene, "a renamed container").await;
    let listed = json!({ "metadata": { "annotations": { "sluice.dev/containers": "other" } } });
    let (_, text) = cluster::try_send(
        &["-n", &scene.world.namespace, &editor.name, "replace", "-f", "-"],
        &scene.manifest("1.1", listed),
    );
    assert!(text.contains("is held"), "{text}");
    in_vain(&scene, "a list of other containers").await;
    editor.may_not(&["rollout", "restart", "deployment/app"], "paused");

    let set = scene.set("1.0").await.unwrap();
    editor.may_not(&["set", "image", &format!("rs/{set}"), "web=localhost/shop:1.1"], "is not approved");
    editor.may_not(&["scale", &format!("rs/{set}"), "--replicas=3"], "Scale the Deployment instead");
    editor.may_not(&["annotate", "--overwrite", "rs", &set, PLANTED[0]], "come from its Deployment");
    in_vain(&scene, "its ReplicaSet").await;
    let run = json!({ "spec": { "gate": { "mode": "Off" } } });
    editor.may_not(&["patch", "mrun", "app", "--type=merge", "-p", &run.to_string()], "bypass");
    editor.does(&["delete", "mrun", "app"]);
    in_vain(&scene, "its run is deleted").await;

    scene.one_deleted("a pod is deleted after all that", "1.0", 2).await;
    assert_eq!(scene.heard("the attack"), ["1.0"]);
    editor.sends(&["replace"], &scene.manifest("1.0", json!({})));
    scene.comes_through("back to what is approved", "1.0", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_new_object_under_the_old_name_nor_undo_nor_a_release_before_the_gate_gets_past_it() {
    let _operator = undisturbed().await;
    // 1.1 and then 1.0 ran before there was a gate: what is approved at its beginning is 1.0 alone.
    let scene = Scene::empty(&World::new("gate-renewed").await, "app").await;
    let free = json!({ "metadata": { "labels": null } });
    scene.deploy("1.1", free.clone());
    scene.comes_through("before there is a gate", "1.1", 2).await;
    scene.deploy("1.0", free);
    scene.comes_through("another, before there is a gate", "1.0", 2).await;
    let mut scene = scene;
    scene.begin_anew().await;
    scene.fit("1.0");
    scene.ask();
    scene.deploy("1.0", json!({}));
    scene.run("1.0", "true", json!({}));
    scene.world.clean("app").await;
    scene.comes_through("the gate", "1.0", 2).await;

    let editor = Editor::of(&scene);
    // What is at 0 from before the gate goes, since no policy would know it: there is nothing to undo to.
    if let Some(before) = scene.set("1.1").await {
        scene.world.until(&before, "it to go", |set: Option<&ReplicaSet>| set.is_none()).await;
    }
    editor.may_not(&["rollout", "undo", "deployment/app"], "no rollout history");
    editor.does(&["set", "image", "deployment/app", "web=localhost/shop:1.1"]);
    scene.held("back to a release from before the gate").await;
    scene.serve("back to a release from before the gate", "1.0", 2).await;
    scene.run("1.1", "exit 1", json!({}));
    scene.world.stalled("app").await;

    editor.does(&["delete", "deployment", "app", "--cascade=orphan"]);
    editor.sends(&["create"], &scene.manifest("1.1", json!({})));
    scene.held("orphan and create").await;
    scene.serve("orphan and create", "1.0", 2).await;
    assert_eq!(scene.heard("orphan and create"), ["1.0"]);
    scene.leave("what is deleted and created has a gap");
    editor.does(&["delete", "deployment", "app"]);
    editor.sends(&["create"], &scene.manifest("1.1", json!({})));
    scene.held("delete and create").await;
    scene.serve("delete and create", "1.0", 2).await;
    editor.sends(&["replace", "--force"], &scene.manifest("1.1", json!({})));
    scene.held("replace by force").await;
    scene.serve("replace by force", "1.0", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_approval_that_races_with_a_new_image_opens_nothing() {
    let _operator = undisturbed().await;
    let scene = Scene::serving("gate-stale", json!({})).await;
    // The migration of 1.1 runs; just before it is clean, 1.2 arrives in its place.
    scene.run("1.1", SLOW, json!({}));
    scene.deploy("1.1", json!({}));
    scene.held("1.1 waits").await;
    scene.deploy("1.2", json!({}));
    go(&scene.world, "app").await;
    let clean = |status: &MigrationRunStatus| {
        let open = status.targets.first().is_some_and(|target| target.settled);
        open && status.clean.as_ref().is_some_and(|clean| clean.image == image("1.1"))
    };
    scene.world.status("app", "1.1 clean and approved", clean).await;
    scene.held("1.1 is approved where 1.2 waits").await;
    scene.serve("1.1 is approved where 1.2 waits", "1.0", 2).await;

    // A replica that was stalled writes without looking: approvals of 1.1 race with images that come and go.
    let operator = "--as=system:serviceaccount:sluice-system:sluice";
    let list = format!("{}\n{}", image("1.1"), image("1.0"));
    let late =
        json!({ "metadata": { "annotations": { "sluice.dev/approved-images": list } }, "spec": { "paused": false } });
    for round in 0..4 {
        let (world, late) = (scene.world.clone(), late.to_string());
        let writing = tokio::task::spawn_blocking(move || {
            world.kubectl(&["patch", "deployment", "app", "--type=merge", "-p", &late, operator])
        });
        let next = if round % 2 == 0 { "1.3" } else { "1.2" };
        scene.world.kubectl(&["set", "image", "deployment/app", &format!("web={}", image(next))]);
        writing.await.unwrap();
        scene.held(&format!("a late approval of 1.1 while {next} arrives")).await;
        scene.serve(&format!("a late approval of 1.1 while {next} arrives"), "1.0", 2).await;
    }
    assert_eq!(scene.heard("the race"), ["1.0"]);
    scene.deploy("1.1", json!({}));
    scene.comes_through("Git goes on to 1.1, which is approved", "1.1", 2).await;
    assert_eq!(scene.heard("the end"), ["1.0", "1.1"]);
}
