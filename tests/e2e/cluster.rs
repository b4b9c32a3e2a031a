//! What all tests share: the client, kubectl, the database server, and who may stop the operator.

use std::process::Command;

use kube::Client;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Namespace of the operator.
pub const OPERATOR: &str = "sluice-system";
/// Namespace of the database server that most tests share, each with a database of its own.
const DATABASES: &str = "e2e-databases";
pub const PASSWORD: &str = "only-for-trying-out";

static OPERATOR_STATE: RwLock<()> = RwLock::const_new(());
static DATABASE: OnceCell<()> = OnceCell::const_new();

/// Held by a test that needs a running operator.
pub async fn undisturbed() -> RwLockReadGuard<'static, ()> {
    OPERATOR_STATE.read().await
}

/// Held by a test that stops or restarts the operator.
pub async fn alone() -> RwLockWriteGuard<'static, ()> {
    OPERATOR_STATE.write().await
}

pub async fn client() -> Client {
    Client::try_default().await.expect("KUBECONFIG names a cluster")
}

/// Runs kubectl; what it printed, and whether it succeeded.
pub fn try_kubectl(args: &[&str]) -> (bool, String) {
    let output = Command::new("kubectl").args(args).output().expect("kubectl is on the PATH");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

#[track_caller]
pub fn kubectl(args: &[&str]) -> String {
    let (succeeded, text) = try_kubectl(args);
    assert!(succeeded, "kubectl {}: {text}", args.join(" "));
    text
}

pub fn apply(namespace: &str, manifest: &serde_json::Value) {
    let (succeeded, text) = try_send(&["-n", namespace, "apply", "-f", "-"], manifest);
    assert!(succeeded, "kubectl apply of {manifest}: {text}");
}

/// Runs kubectl with a manifest on its stdin; what it printed, and whether it succeeded.
pub fn try_send(args: &[&str], manifest: &serde_json::Value) -> (bool, String) {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = Command::new("kubectl");
    let piped = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("kubectl is on the PATH");
    child.stdin.take().unwrap().write_all(manifest.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

/// Starts the shared database server, once.
pub async fn database_server() {
    DATABASE
        .get_or_init(|| async {
            start_database(DATABASES);
        })
        .await;
}

/// A PostgreSQL of its own in a namespace.
pub fn start_database(namespace: &str) {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shop/kubernetes/database.yaml");
    if !try_kubectl(&["get", "namespace", namespace]).0 {
        kubectl(&["create", "namespace", namespace]);
    }
    kubectl(&["-n", namespace, "apply", "-f", manifest]);
    kubectl(&["-n", namespace, "rollout", "status", "deployment/database", "--timeout=120s"]);
}

/// Runs SQL on a database of the shared server.
pub fn sql(database: &str, statement: &str) -> String {
    // By URL, since the server asks for the password on every connection over the network.
    let url = format!("postgresql://postgres:{PASSWORD}@127.0.0.1:5432/{database}");
    let args = [
        "-n",
        DATABASES,
        "exec",
        "deployment/database",
        "--",
        "psql",
        "-XqtA",
        &url,
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        statement,
    ];
    kubectl(&args).trim().to_owned()
}

pub fn url(database: &str, password: &str) -> String {
    format!("postgresql://postgres:{password}@database.{DATABASES}:5432/{database}")
}

/// What enforces the gate, until it is dropped: then it is what the cluster offers again. For whoever is `alone`.
pub struct Enforcement;

impl Enforcement {
    /// Installs the chart again with this enforcement and so many operators.
    pub fn of(enforcement: &str, replicas: usize) -> Self {
        install(enforcement, replicas).unwrap();
        Self
    }
}

impl Drop for Enforcement {
    fn drop(&mut self) {
        let restored = install("Auto", 1);
        // A policy works a moment after it is made.
        let dry = ["-n", OPERATOR, "create", "--dry-run=server", "-o", "jsonpath={.spec.paused}", "-f", GATED];
        let mut tries = (0..300).map(|_| std::thread::sleep(std::time::Duration::from_millis(200)));
        let holds = restored.is_ok() && tries.any(|()| try_kubectl(&dry).1.contains("true"));
        // What has failed before is what is to be told.
        assert!(holds || std::thread::panicking(), "the gate is not in force again: {restored:?}");
    }
}

/// Held wherever the gate is in force.
const GATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/gated.json");

fn install(enforcement: &str, replicas: usize) -> Result<(), String> {
    let top = env!("CARGO_MANIFEST_DIR");
    let built = || {
        let built =
            Command::new(format!("{top}/tests/cluster/build")).arg("helm").output().expect("tests/cluster/build");
        format!("{}/helm", String::from_utf8_lossy(&built.stdout).trim())
    };
    let helm = std::env::var("HELM").unwrap_or_else(|_| built());
    let (chart, gate) = (format!("{top}/charts/sluice"), format!("gate.enforcement={enforcement}"));
    let replicas = format!("replicas={replicas}");
    let args = ["upgrade", "sluice", &chart, "-n", OPERATOR, "--reuse-values", "--set", &gate, "--set", &replicas];
    let output = Command::new(helm).args(args).output().expect("helm runs");
    if !output.status.success() {
        return Err(format!("helm {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr)));
    }
    let (ready, text) = try_kubectl(&["-n", OPERATOR, "rollout", "status", "deployment/sluice", "--timeout=120s"]);
    if ready { Ok(()) } else { Err(text) }
}

/// Scales the operator and waits until it is so.
pub async fn scale_operator(replicas: i32) {
    kubectl(&["-n", OPERATOR, "scale", "deployment/sluice", &format!("--replicas={replicas}")]);
    if replicas == 0 {
        kubectl(&[
            "-n",
            OPERATOR,
            "wait",
            "pod",
            "-l",
            "app.kubernetes.io/name=sluice",
            "--for=delete",
            "--timeout=60s",
        ]);
    } else {
        kubectl(&["-n", OPERATOR, "rollout", "status", "deployment/sluice", "--timeout=60s"]);
    }
}

/// Kills the operator's pods without grace, as a node's failure would, and waits for the next.
pub async fn kill_operator() {
    let pods = kubectl(&["-n", OPERATOR, "get", "pods", "-l", "app.kubernetes.io/name=sluice", "-o", "name"]);
    for pod in pods.lines() {
        kubectl(&["-n", OPERATOR, "delete", pod, "--grace-period=0", "--force"]);
    }
    kubectl(&[
        "-n",
        OPERATOR,
        "wait",
        "deployment/sluice",
        "--for=jsonpath={.status.readyReplicas}=1",
        "--timeout=60s",
    ]);
}
