//! `sluice controller`: the operator.

use std::process::ExitCode;
use std::sync::Arc;

use kube::Client;
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;

use crate::controller::{self, Settings};
use crate::runtime::args::{ControllerArgs, WebhookArgs};
use crate::runtime::clock::SystemClock;
use crate::runtime::lease::{Ended, LeaderElection, Leadership, Timing};
use crate::runtime::metrics::Metrics;
use crate::runtime::webhook::{self, keeper::Keeper};
use crate::runtime::{client, server, shutdown, telemetry};

/// Name of the Lease by which the replicas elect their leader.
const LEADER_LEASE: &str = "sluice-leader";

/// Why the operator could not start or had to stop.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the operator until it is told to stop.
#[must_use]
pub fn run(args: ControllerArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error),
    };
    match runtime.block_on(operate(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(error.as_ref()),
    }
}

fn report(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("sluice: {error}");
    ExitCode::FAILURE
}

async fn operate(args: ControllerArgs) -> Result<(), Failure> {
    telemetry::init(args.log_format, &args.log_level)?;
    let metrics = Metrics::new();
    let health = server::Health::new();
    let client = client::connect(args.api_timeout, &metrics).await?;
    let listener = server::bind(args.listen).await?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let told = shutdown::requested()?;
    let signal = tokio::spawn(async move {
        let name = told.await;
        tracing::info!(signal = name, "stopping: what is in flight is finished");
        let _ = stop.send(true);
        // Held until the process ends: a dropped sender would read as another signal.
        std::future::pending::<()>().await;
    });
    let serving =
        tokio::spawn(server::serve(listener, server::routes(health.clone(), metrics.clone()), told_on(&stopped)));

    let election = LeaderElection::new(
        client.clone(),
        &args.namespace,
        LEADER_LEASE,
        &args.identity,
        Timing::of(args.lease_duration),
    );
    let leadership = election.leadership();
    let known = leadership.clone();
    metrics.leader_is_known_by(move || known.holds());
    // The Lease is given back only when the controller has ended what was in flight.
    let (drained, drained_seen) = tokio::sync::watch::channel(false);
    let elected = tokio::spawn(election.run(told_on(&drained_seen)));

    // Every replica holds, whoever leads: the API server's calls come to any that is ready.
    let _holding = hold(&args, &client, &stopped).await?;
    // A replica that waits is ready: it serves its probes and takes over when it must.
    health.set_ready(true);
    tokio::select! {
        () = leadership.acquired() => {}
        () = told_on(&stopped) => {}
    }
    if leadership.holds() {
        health.set_ready(false);
        let settings = Settings {
            namespace: args.namespace.clone(),
            watch_namespaces: args.namespaces_to_watch(),
            concurrency: args.concurrency,
            enforcement: args.gate_enforcement,
            clock: Arc::new(SystemClock),
            leadership: Some(leadership.clone()),
            metrics: metrics.clone(),
        };
        let ready = health.clone();
        let (holds, told) = (leadership.clone(), stopped.clone());
        let until = async move { leadership_or_signal(&holds, &told).await };
        let work = controller::run(client, settings, move || ready.set_ready(true), until);
        let grace = args.shutdown_grace;
        let overdue = async {
            leadership_or_signal(&leadership, &stopped).await;
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            () = work => tracing::info!("all that was in flight is finished"),
            () = overdue => tracing::warn!("stopping with work in flight: the next leader finds it by looking"),
        }
    }
    let _ = drained.send(true);
    let ended = elected.await?;
    signal.abort();
    serving.abort();
    match ended {
        Ended::Released => Ok(()),
        Ended::Lost => Err("the leader's lease was lost; another replica leads now".into()),
    }
}

/// Serves the gate's webhook, where that is asked for, once the API server can know its certificate.
async fn hold(
    args: &ControllerArgs,
    client: &Client,
    stopped: &Receiver<bool>,
) -> Result<Option<JoinSet<()>>, Failure> {
    let WebhookArgs { listen: Some(address), configuration, host, operator } = &args.webhook else { return Ok(None) };
    let hosts = std::slice::from_ref(host);
    let keeper = Keeper::new(client.clone(), configuration, &args.identity, hosts, webhook::keeper::Timing::default())?;
    let listener = server::bind(*address).await?;
    let (serving, mut published) = (keeper.serving(), keeper.published());
    let (routes, until) = (webhook::routes(operator), told_on(stopped));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        if let Err(error) = webhook::serve(listener, routes, serving, until).await {
            tracing::error!(%error, "the gate's webhook has ended");
        }
    });
    tasks.spawn(keeper.keep());
    tokio::select! {
        _ = published.wait_for(|published| *published) => tracing::info!(%address, "the gate's webhook is known to the API server"),
        () = told_on(stopped) => {}
    }
    Ok(Some(tasks))
}

async fn leadership_or_signal(leadership: &Leadership, stopped: &Receiver<bool>) {
    tokio::select! {
        () = leadership.lost() => {}
        () = told_on(stopped) => {}
    }
}

/// Resolves once the channel says true; for good where its sender is gone.
fn told_on(told: &Receiver<bool>) -> impl Future<Output = ()> + Send + Sync + 'static {
    let mut told = told.clone();
    async move {
        let _ = told.wait_for(|told| *told).await;
    }
}
