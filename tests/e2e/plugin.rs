//! `kubectl sluice` as people and pipelines use it, beside a release that fails, goes through and goes back.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::cluster::{self, undisturbed};
use crate::scene::Scene;
use crate::world::World;

/// What a command exits with, says, and complains of.
struct Said {
    code: i32,
    out: String,
    errors: String,
}

/// As kubectl runs it, from the PATH.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_finds_it_as_a_plugin() {
    let _operator = undisturbed().await;
    let world = World::new("plugin-kubectl").await;
    world.script("app", "true", json!({}));
    world.clean("app").await;
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sluice"), directory.path().join("kubectl-sluice")).unwrap();
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    let run = |args: &[&str]| Command::new("kubectl").env("PATH", &path).args(args).output().unwrap();
    let said = run(&["sluice", "get", "app", "-n", &world.namespace, "-o", "name"]);
    assert_eq!(String::from_utf8_lossy(&said.stdout), "migrationrun.sluice.dev/app\n", "{said:?}");
    assert!(
        String::from_utf8_lossy(&run(&["sluice", "status", "--help"]).stdout).contains("Usage: kubectl sluice status")
    );
    // What its completions ask when somebody presses Tab.
    let completes = directory.path().join("kubectl_complete-sluice");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sluice"), completes).unwrap();
    let said = run(&["__complete", "sluice", "status", "-n", &world.namespace, ""]);
    assert_eq!(String::from_utf8_lossy(&said.stdout), "app\n:4\n", "{said:?}");
}

fn sluice(namespace: &str, args: &[&str]) -> Said {
    let said = Command::new(env!("CARGO_BIN_EXE_sluice")).args(args).args(["-n", namespace]).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: said.status.code().unwrap(), out: text(&said.stdout), errors: text(&said.stderr) }
}

/// What it says, where it is to end with 0.
fn well(world: &World, args: &[&str]) -> String {
    let said = sluice(&world.namespace, args);
    assert_eq!(said.code, 0, "sluice {}: {}{}", args.join(" "), said.out, said.errors);
    said.out
}

/// What it complains of, where it is to end with this.
fn badly(world: &World, code: i32, args: &[&str]) -> String {
    let said = sluice(&world.namespace, args);
    assert_eq!(said.code, code, "sluice {}: {}{}", args.join(" "), said.out, said.errors);
    assert_eq!(said.errors.lines().count(), 1, "one line: {}", said.errors);
    said.errors
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_release_is_followed_mended_and_taken_back_by_commands() {
    let _operator = undisturbed().await;
    let scene = Scene::serving("plugin", json!({})).await;
    let world = &scene.world;
    assert_eq!(
        well(world, &["wait", "app", "--for", "clean"]),
        "clean: The database is clean with localhost/shop:1.0.\n"
    );
    says(&well(world, &["gate", "app"]), &["✔ open", "Enforced    by AdmissionPolicy", "2/2", "✔ approved"]);

    let fails = "echo 'psql:m.sql:1: ERROR:  23505: duplicate key value violates unique constraint \"u\"' >&2; \
         echo 'DETAIL:  Key (email)=(a@b.c) already exists. postgres://app:hunter2@db/shop' >&2; exit 3";
    scene.deploy("1.1", json!({}));
    scene.run("1.1", fails, json!({}));
    says(&badly(world, 1, &["wait", "app", "--for", "clean"]), &["DataConflict/UniqueViolation"]);
    says(&well(world, &["wait", "app", "--for", "held"]), &["held: "]);
    says(&well(world, &["wait", "app", "--for", "finished"]), &["DataConflict/UniqueViolation"]);

    let table = well(world, &["get"]);
    says(&table, &["NAME", "app", "shop:1.1", "DataConflict/UniqueViolation", "Held"]);
    says(&well(world, &["get", "-o", "wide"]), &["MESSAGE", "localhost/shop:1.1"]);
    assert_eq!(well(world, &["get", "app", "-o", "name"]), "migrationrun.sluice.dev/app\n");
    let object: Value = serde_json::from_str(&well(world, &["get", "app", "-o", "json"])).unwrap();
    assert_eq!((&object["kind"], &object["metadata"]["name"]), (&json!("MigrationRun"), &json!("app")));
    says(&well(world, &["get", "-o", "yaml"]), &["kind: List", "kind: MigrationRun"]);
    let page = well(world, &["status", "app"]);
    says(
        &page,
        &["✖ AwaitPatch: DataConflict/UniqueViolation", "attempt 1 of shop:1.1", "exit 3", "deployment app", "‖ Held"],
    );
    says(&page, &["✔ 2/2", "kubectl sluice retry app -n"]);
    let gate = well(world, &["gate", "deployment/app"]);
    says(&gate, &["‖ held: shop:1.1 waits for its database", "✔ approved", "kubectl sluice status app -n"]);
    let log = well(world, &["logs", "app"]);
    says(&log, &["duplicate key value", "Key (email)=(***)", "postgres://***@db/shop"]);

    scene.run("1.1", "true", json!({}));
    scene.comes_through("mended", "1.1", 2).await;
    says(&badly(world, 1, &["retry", "app", "--token", "x"]), &["refused: "]);
    says(
        &well(world, &["rollback", "app", "--dry-run"]),
        &["deployment/app: Planned from localhost/shop:1.1 to localhost/shop:1.0"],
    );
    says(&well(world, &["rollback", "app"]), &["migrationrun.sluice.dev/app accepted with token cli-"]);
    scene.serve("rolled back", "1.0", 2).await;
    says(&badly(world, 1, &["rollback", "app"]), &["refused: NothingToRollBack"]);
    says(&well(world, &["retry", "app"]), &["accepted"]);
    scene.comes_through("let go again", "1.1", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_has_all_that_helps_and_no_secret() {
    let _operator = undisturbed().await;
    let world = World::new("plugin-bundle").await;
    let env = json!([{ "name": "TOKEN", "value": "hunter2-hunter2" }]);
    world.script("app", "echo \"password=$TOKEN\"; exit 1", json!({ "migrate": { "env": env } }));
    world.stalled("app").await;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("bundle");
    well(&world, &["support-bundle", "app", "--directory", directory.to_str().unwrap()]);
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    says(&read("status.txt"), &["run app"]);
    says(&read("run.yaml"), &["kind: MigrationRun"]);
    says(&read("events.yaml"), &["reason: "]);
    assert_eq!(read("missing.txt"), "");
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.extension().is_some_and(|end| end == "log")), "{files:?}");
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains("hunter2"), "{}: {text}", file.display());
    }
    says(
        &badly(&world, 1, &["support-bundle", "app", "--directory", directory.to_str().unwrap()]),
        &["failed to write"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_or_may_not_be_is_told_in_one_line() {
    let _operator = undisturbed().await;
    let world = World::new("plugin-errors").await;
    let said = sluice(&world.namespace, &["get"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    says(&said.errors, &["No runs in namespace"]);
    says(&badly(&world, 1, &["status", "nobody"]), &["not found", "kubectl sluice get -n"]);
    says(&badly(&world, 1, &["gate", "nobody"]), &["not found"]);
    says(&badly(&world, 1, &["get", "--context", "moon"]), &["no context \"moon\""]);
    says(&badly(&world, 2, &["wait", "app", "--timeout", "soon"]), &["write it such as 90s"]);
    world.script("waits", "true", json!({ "suspend": true }));
    says(&badly(&world, 124, &["wait", "waits", "--timeout", "1s"]), &["not in 1 s: Suspended"]);

    let parent = tempfile::tempdir().unwrap();
    let account = kubeconfig(&world, parent.path(), None);
    let gone = kubeconfig(&world, parent.path(), Some("https://127.0.0.1:1"));
    says(&badly(&world, 1, &["get", "--kubeconfig", &account]), &["not allowed to list runs", "-view"]);
    says(&badly(&world, 1, &["retry", "waits", "--kubeconfig", &account]), &["not allowed to read the run"]);
    says(&badly(&world, 1, &["get", "--kubeconfig", &gone]), &["is the cluster up"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_set_up_right_is_said_to_be() {
    let _operator = undisturbed().await;
    let world = World::new("plugin-check").await;
    let page = well(&world, &["check"]);
    says(
        &page,
        &[
            "✔ API server",
            "✔ definition of MigrationRun",
            "as of sluice",
            "✔ operator",
            "✔ gate",
            "AdmissionPolicy",
            "✔ may list migrationruns",
        ],
    );
    let parent = tempfile::tempdir().unwrap();
    let account = kubeconfig(&world, parent.path(), None);
    let page = well(&world, &["check", "--kubeconfig", &account]);
    says(&page, &["• operator", "not shown to these rights", "‖ may list migrationruns", "needed by get, status"]);
}

/// A kubeconfig of a ServiceAccount without any right, of this cluster or of one at another address.
fn kubeconfig(world: &World, directory: &Path, server: Option<&str>) -> String {
    let (_, _) = world.try_kubectl(&["create", "serviceaccount", "nobody"]);
    let token = world.kubectl(&["create", "token", "nobody"]);
    let mut config: Value =
        serde_json::from_str(&cluster::kubectl(&["config", "view", "--raw", "--flatten", "--minify", "-o", "json"]))
            .unwrap();
    config["users"][0]["user"] = json!({ "token": token });
    if let Some(server) = server {
        config["clusters"][0]["cluster"]["server"] = json!(server);
    }
    let path = directory.join(server.map_or("nobody", |_| "gone"));
    std::fs::write(&path, config.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}
