//! The operator as it is shipped: a release binary, started as a process with its own rights.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest wait for a start or an end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running operator; killed with its value.
pub struct Operator {
    child: Child,
    address: SocketAddr,
    pub started: Instant,
}

impl Operator {
    /// Starts one and waits until it works.
    pub async fn start() -> Self {
        let operator = Self::spawn();
        operator.ready().await;
        operator
    }

    pub fn spawn() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let log = File::options().create(true).append(true).open(variable("OPERATOR_LOG")).unwrap();
        let started = Instant::now();
        let child = Command::new(variable("SLUICE"))
            .args(["controller", "--namespace", "sluice-system", "--listen", &free.to_string()])
            .env("KUBECONFIG", variable("OPERATOR_KUBECONFIG"))
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, address: free, started }
    }

    /// Time from the start until it leads and says that it is ready; a replica that waits to lead says so too, for a moment.
    pub async fn ready(&self) -> Duration {
        loop {
            assert!(self.started.elapsed() < PATIENCE, "the operator does not get ready");
            // Twice, since what it says before it leads is taken back; metrics only then, since counting runs takes time.
            if self.says_ready().await && self.leads().await && self.says_ready().await {
                return self.started.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn says_ready(&self) -> bool {
        self.get("/readyz").await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    async fn leads(&self) -> bool {
        self.get("/metrics").await.is_some_and(|answer| answer.lines().any(|line| line == "sluice_leader 1"))
    }

    /// Writes so far, by verb and kind, without those by which it goes on leading.
    pub async fn writes(&self) -> BTreeMap<String, u64> {
        let answer = self.get("/metrics").await.expect("the operator serves no metrics");
        writes_in(&answer)
    }

    /// Its memory: the most that it ever had, and what it has now, in KiB.
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        (of("VmHWM:"), of("VmRSS:"))
    }

    /// Processor time so far.
    pub fn busy(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// Ends it as Kubernetes does, so that it gives its Lease back.
    pub async fn stop(mut self) {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        let told = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(told.elapsed() < PATIENCE, "the operator does not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Counts of writes in an answer to /metrics. The lock of a database is created and deleted; what is updated is the Lease of
/// the election, whose cost is by the second and not by the run.
pub fn writes_in(metrics: &str) -> BTreeMap<String, u64> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix("sluice_api_writes_total{"));
    let counts = lines.filter_map(|line| {
        let (labels, count) = line.split_once("} ")?;
        let value = |key: &str| Some(labels.split(key).nth(1)?.split('"').nth(1)?.to_owned());
        let (verb, kind) = (value("verb=")?, value("kind=")?);
        (verb != "update" || kind != "Lease").then_some((format!("{verb} {kind}"), count.trim().parse().ok()?))
    });
    counts.collect()
}
