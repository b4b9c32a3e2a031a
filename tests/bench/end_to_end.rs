//! A clean run on a real node, beside the same commands in Jobs of one's own. Everything goes through kubectl, as users do it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use crate::figures::{Aim, Samples, Table};
use crate::operator::writes_in;
use crate::{bare, count, say};

const NAMESPACE: &str = "bench";
const PASSWORD: &str = "only-for-trying-out";
const DATABASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop/kubernetes/database.yaml");

/// What is run: the same two commands in each way.
struct Case {
    name: &'static str,
    title: &'static str,
    migrate: &'static [&'static str],
    check: &'static [&'static str],
    both: &'static str,
}

const TRIVIAL: Case = Case {
    name: "trivial",
    title: "clean run on a node, `true` and `true` in busybox",
    migrate: &["sh", "-c", "true"],
    check: &["sh", "-c", "true"],
    both: "true && true",
};
const SHOP: Case = Case {
    name: "shop",
    title: "clean run on a node, the Prisma CLI with 2 migrations on PostgreSQL",
    migrate: &["npx", "prisma", "migrate", "deploy"],
    check: &["npx", "prisma", "migrate", "status"],
    both: "npx prisma migrate deploy && npx prisma migrate status",
};

pub fn measure(table: &mut Table) {
    let rounds = count("BENCH_ROUNDS", 7);
    say!("a namespace with PostgreSQL, and {} databases", rounds * 3 + 1);
    kubectl(&["create", "namespace", NAMESPACE], "");
    kubectl(&["apply", "-f", DATABASE], "");
    kubectl(&["rollout", "status", "deployment/database", "--timeout=120s"], "");
    databases(rounds);
    for case in [TRIVIAL, SHOP] {
        compare(&case, rounds, table);
    }
}

/// A fresh database and its Secret for each thing that is timed.
fn databases(rounds: usize) {
    let names: Vec<String> = ["warm-0".to_owned()]
        .into_iter()
        .chain((0..rounds).flat_map(|round| ["run", "two", "one"].map(|way| format!("{way}-{round}"))))
        .collect();
    let sql: String = names.iter().map(|name| format!("CREATE DATABASE \"{name}\";\n")).collect();
    let url = format!("postgresql://postgres:{PASSWORD}@127.0.0.1:5432/postgres");
    kubectl(&["exec", "-i", "deployment/database", "--", "psql", "-Xq", &url, "-v", "ON_ERROR_STOP=1"], &sql);
    let secrets: Vec<Value> = names
        .iter()
        .map(|name| {
            let url = format!("postgresql://postgres:{PASSWORD}@database:5432/{name}");
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": { "URL": url } })
        })
        .collect();
    create(&json!({ "apiVersion": "v1", "kind": "List", "items": secrets }));
}

/// The three ways in turn, so that what disturbs one disturbs all.
fn compare(case: &Case, rounds: usize, table: &mut Table) {
    say!("{}: {rounds} rounds of a run, two Jobs, one Job", case.title);
    let before = writes();
    run(case, "warm-0");
    std::thread::sleep(Duration::from_secs(3));
    let written = writes() - before;
    let migrate = kubectl(
        &["get", "jobs", "-o", "json", "-l", &format!("sluice.dev/run={}-warm-0,sluice.dev/step=migrate", case.name)],
        "",
    );
    let migrate: Value = serde_json::from_str(&migrate).unwrap();
    let template: Job = serde_json::from_value(migrate["items"][0].clone()).unwrap();
    let (mut of_run, mut of_two, mut of_one) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..rounds {
        of_run.push(timed(|| run(case, &format!("run-{round}"))));
        let database = format!("two-{round}");
        let two = [("first", case.migrate), ("second", case.check)]
            .map(|(which, command)| (format!("{}-{database}-{which}", case.name), words(command)));
        of_two.push(timed(|| two.iter().for_each(|(name, command)| job(&template, name, command, &database))));
        let (database, command) = (format!("one-{round}"), words(&["sh", "-c", case.both]));
        of_one.push(timed(|| job(&template, &format!("{}-{database}", case.name), &command, &database)));
    }
    table.time(case.title, &Aim::NONE, &of_run, Some(("two bare Jobs, one after the other", &of_two)));
    table.time("the same", &Aim::NONE, &of_run, Some(("one bare Job with both commands", &of_one)));
    let kept = written <= 14;
    table.value("API writes of that run", "≤ 14", kept, &written.to_string(), 1, "by the operator's own metrics");
}

fn timed(act: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    act();
    begun.elapsed()
}

fn run(case: &Case, database: &str) {
    let name = format!("{}-{database}", case.name);
    let mut spec = json!({
        "image": "localhost/shop:1.0",
        "database": { "urlFrom": { "secretKeyRef": { "name": database, "key": "URL" } } },
    });
    if case.name == "trivial" {
        spec = json!({ "image": "localhost/busybox:1", "tool": "Custom", "database": { "id": name },
            "migrate": { "command": case.migrate }, "check": { "command": case.check } });
    }
    create(
        &json!({ "apiVersion": "sluice.dev/v1alpha1", "kind": "MigrationRun", "metadata": { "name": name }, "spec": spec }),
    );
    kubectl(&["wait", "--for=condition=Ready", &format!("mrun/{name}"), "--timeout=120s"], "");
}

fn job(template: &Job, name: &str, command: &[String], database: &str) {
    let url = json!([{ "name": "DATABASE_URL", "valueFrom": { "secretKeyRef": { "name": database, "key": "URL" } } }]);
    let job = bare::with(bare::job(template, name, false), command, url);
    create(&json!(job));
    kubectl(&["wait", "--for=condition=complete", &format!("job/{name}"), "--timeout=120s"], "");
}

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

/// All writes of the operator so far.
fn writes() -> u64 {
    let pods =
        kubectl(&["-n", "sluice-system", "get", "pods", "-o", "name", "-l", "app.kubernetes.io/name=sluice"], "");
    let pod = pods.trim().trim_start_matches("pod/");
    let path = format!("/api/v1/namespaces/sluice-system/pods/{pod}:8080/proxy/metrics");
    writes_in(&kubectl(&["get", "--raw", &path], "")).values().sum()
}

fn create(manifest: &Value) {
    kubectl(&["create", "-f", "-"], &manifest.to_string());
}

#[track_caller]
fn kubectl(args: &[&str], input: &str) -> String {
    let mut kubectl = Command::new("kubectl");
    kubectl.args(["-n", NAMESPACE]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = kubectl.spawn().expect("kubectl is on the PATH");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "kubectl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
