//! `kubectl sluice status RUN`: one screen.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap_complete::ArgValueCandidates;
use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use kube::Resource;
use kube::runtime::{WatchStreamExt, watcher};

use super::get::{Output, objects};
use super::{Answer, Cluster, Connection, picture};
use crate::api::MigrationRun;
use crate::cli::view::style::Style;
use crate::cli::view::{run::selector, tree};

/// Shows one run on one screen: what, why, since when, what next, and all that belongs to it
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The run
    #[arg(add = ArgValueCandidates::new(super::names::runs))]
    pub run: String,

    /// Shows it again at every change
    #[arg(short, long, conflicts_with = "output")]
    pub watch: bool,

    /// The object instead: json or yaml
    #[arg(short, long, value_enum)]
    pub output: Option<Output>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: Connection,
}

/// Colours are for people at a terminal who have not said no (<https://no-color.org>).
pub fn style() -> Style {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Style { colour: wanted && std::io::stdout().is_terminal() }
}

/// Shows it.
pub async fn status(args: Args) -> Answer {
    let cluster = args.connection.connect().await?;
    if let Some(format @ (Output::Json | Output::Yaml)) = args.output {
        let run = picture::run(&cluster, &args.run).await?;
        return objects(&[run], true, format);
    }
    let run = picture::run(&cluster, &args.run).await?;
    if args.watch { watch(&cluster, run).await } else { Ok(page(&cluster, &run).await) }
}

async fn page(cluster: &Cluster, run: &MigrationRun) -> String {
    let picture = picture::of(cluster, run).await;
    tree::page(run, &picture, &cluster.flags, Timestamp::now(), style())
}

/// How long changes are gathered before the screen is written again.
const GATHER: Duration = Duration::from_millis(200);

async fn watch(cluster: &Cluster, run: MigrationRun) -> Answer {
    let (name, its) = (kube::ResourceExt::name_any(&run), selector(&run));
    let mut changes = select_all([
        touched::<MigrationRun>(cluster, watcher::Config::default().fields(&format!("metadata.name={name}"))),
        touched::<Pod>(cluster, watcher::Config::default().labels(&its)),
        touched::<Deployment>(cluster, watcher::Config::default()),
        touched::<ReplicaSet>(cluster, watcher::Config::default()),
    ]);
    loop {
        let run = picture::run(cluster, &name).await?;
        let page = page(cluster, &run).await;
        let mut out = std::io::stdout().lock();
        // Home and clear below, so that nothing flickers; a file gets one page after the other.
        let clear = if std::io::stdout().is_terminal() { "\u{1b}[H\u{1b}[J" } else { "" };
        if writeln!(out, "{clear}{page}").and_then(|()| out.flush()).is_err() {
            return Ok(String::new());
        }
        drop(out);
        if changes.next().await.is_none() {
            return Ok(String::new());
        }
        let _ = tokio::time::timeout(GATHER, async { while changes.next().await.is_some() {} }).await;
    }
}

/// A word for every change of what the caller may watch; what it may not is passed over, as the page says.
fn touched<K>(cluster: &Cluster, config: watcher::Config) -> BoxStream<'static, ()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + Send + 'static,
    K: serde::de::DeserializeOwned,
{
    let changes = watcher(cluster.api::<K>(), config).default_backoff().touched_objects();
    changes.filter_map(async |change| change.ok().map(drop)).boxed()
}
