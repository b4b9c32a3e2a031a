//! `kubectl sluice get`: runs, a row each.

use std::io::IsTerminal;

use clap_complete::ArgValueCandidates;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{Answer, Cluster, Connection, Failure};
use crate::api::MigrationRun;
use crate::cli::view::{run, table};

/// Lists MigrationRuns
#[derive(clap::Args, Debug)]
pub struct Args {
    /// One run by its name; all of the namespace where it is left out
    #[arg(add = ArgValueCandidates::new(super::names::runs))]
    pub name: Option<String>,

    /// Of all namespaces
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub all_namespaces: bool,

    /// Goes on with a row for every change
    #[arg(short, long, conflicts_with = "output")]
    pub watch: bool,

    /// Form of the output [default: a table]
    #[arg(short, long, value_enum)]
    pub output: Option<Output>,

    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: Connection,
}

/// For programs, or with more columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// A table with image and message
    Wide,
    /// The objects as JSON
    Json,
    /// The objects as YAML
    Yaml,
    /// Names, as kubectl takes them
    Name,
}

/// Lists, and goes on where that is asked for.
pub async fn get(args: Args) -> Answer {
    let cluster = args.connection.connect().await?;
    let api: Api<MigrationRun> =
        if args.all_namespaces { Api::all(cluster.client.clone()) } else { cluster.api::<MigrationRun>() };
    if args.watch {
        return watch(&cluster, api, &args).await;
    }
    let runs = match &args.name {
        Some(name) => vec![super::picture::run(&cluster, name).await?],
        None => {
            let listed = api.list(&ListParams::default()).await;
            listed.map_err(|error| cluster.wrong("list runs", &error))?.items
        }
    };
    if runs.is_empty() && !matches!(args.output, Some(Output::Json | Output::Yaml)) {
        let place =
            if args.all_namespaces { "any namespace".to_owned() } else { format!("namespace {}", cluster.namespace) };
        eprintln!("No runs in {place}.");
        return Ok(String::new());
    }
    shown(&runs, &args)
}

fn shown(runs: &[MigrationRun], args: &Args) -> Answer {
    match args.output {
        Some(Output::Name) => {
            Ok(runs.iter().map(|run| format!("migrationrun.sluice.dev/{}\n", run.name_any())).collect())
        }
        Some(format @ (Output::Json | Output::Yaml)) => objects(runs, args.name.is_some(), format),
        None | Some(Output::Wide) => {
            let rows: Vec<Vec<String>> = runs.iter().map(|run| row(run, args)).collect();
            Ok(table::render(&headings(args), &rows))
        }
    }
}

/// One object as itself, several as a List, as kubectl does.
pub fn objects(runs: &[MigrationRun], one: bool, format: Output) -> Answer {
    let broken = |error: &dyn std::error::Error| Failure::failed(format!("failed to write it: {error}"));
    let mut items = Vec::new();
    for run in runs {
        items.push(serde_json::to_value(run).map_err(|error| broken(&error))?);
    }
    let value: Value = match items.pop() {
        Some(only) if one => only,
        last => {
            items.extend(last);
            json!({ "apiVersion": "v1", "kind": "List", "items": items })
        }
    };
    written(&value, format)
}

/// A value for programs.
pub fn written(value: &Value, format: Output) -> Answer {
    let broken = |error: &dyn std::error::Error| Failure::failed(format!("failed to write it: {error}"));
    if format == Output::Yaml {
        return serde_saphyr::to_string(value).map_err(|error| broken(&error));
    }
    Ok(format!("{}\n", serde_json::to_string_pretty(value).map_err(|error| broken(&error))?))
}

fn headings(args: &Args) -> Vec<&'static str> {
    let namespace = args.all_namespaces.then_some("NAMESPACE");
    let wide = if args.output == Some(Output::Wide) { &run::WIDE[..] } else { &[] };
    namespace.into_iter().chain(run::HEADINGS).chain(wide.iter().copied()).collect()
}

fn row(found: &MigrationRun, args: &Args) -> Vec<String> {
    let namespace = args.all_namespaces.then(|| found.namespace().unwrap_or_default());
    let wide = if args.output == Some(Output::Wide) { run::wide(found) } else { Vec::new() };
    namespace.into_iter().chain(run::row(found, Timestamp::now())).chain(wide).collect()
}

/// Until somebody ends it. The columns are as wide as at the beginning, and wider where a later row needs it.
async fn watch(cluster: &Cluster, api: Api<MigrationRun>, args: &Args) -> Answer {
    let mut config = watcher::Config::default();
    if let Some(name) = &args.name {
        config = config.fields(&format!("metadata.name={name}"));
    }
    let mut changes = watcher(api, config).default_backoff().applied_objects().boxed();
    let mut widths: Vec<usize> = Vec::new();
    loop {
        match changes.try_next().await {
            Ok(Some(found)) => {
                let (headings, rows) = (headings(args), [row(&found, args)]);
                let needed = table::widths(&headings, &rows);
                if widths.is_empty() {
                    print!(
                        "{}",
                        table::line(&headings.iter().map(|&heading| heading.to_owned()).collect::<Vec<_>>(), &needed)
                    );
                }
                widths = needed
                    .iter()
                    .enumerate()
                    .map(|(at, new)| (*new).max(widths.get(at).copied().unwrap_or(0)))
                    .collect();
                print!("{}", table::line(&rows[0], &widths));
                let _ = std::io::Write::flush(&mut std::io::stdout());
            }
            Ok(None) => return Ok(String::new()),
            Err(watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) => {
                return Err(cluster.wrong("watch runs", &error));
            }
            Err(error) if std::io::stderr().is_terminal() => eprintln!("(the watch broke off and goes on: {error})"),
            Err(_) => {}
        }
    }
}
