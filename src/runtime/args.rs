//! The arguments of `sluice controller`, each also an environment variable where a chart sets it.

use std::{collections::BTreeSet, fs, net::SocketAddr, process, time::Duration};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use crate::api::status::Enforcement;

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
const HOSTNAME_FILE: &str = "/proc/sys/kernel/hostname";

/// How `sluice controller` runs.
#[derive(Debug, Clone, Args)]
pub struct ControllerArgs {
    /// Address of /healthz, /readyz and /metrics
    #[arg(long, env = "SLUICE_LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// The operator's own namespace, where its Leases are [default: that of the pod, else sluice-system]
    #[arg(long, env = "POD_NAMESPACE", default_value_t = own_namespace(), hide_default_value = true, value_name = "NAME")]
    pub namespace: String,

    /// Name of this replica in the leader Lease, unique among live processes [default: host name and process id]
    #[arg(long, env = "POD_NAME", default_value_t = own_identity(), hide_default_value = true, value_name = "NAME")]
    pub identity: String,

    /// Form of the log on stderr
    #[arg(long, env = "SLUICE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What is logged, as directives: "info", or "info,sluice=debug"
    #[arg(long, env = "SLUICE_LOG", default_value = "info", value_name = "DIRECTIVES")]
    pub log_level: String,

    /// A namespace to watch, once for each [default: all]
    #[arg(long, env = "SLUICE_WATCH_NAMESPACE", value_name = "NAME", value_delimiter = ',', value_parser = NonEmptyStringValueParser::new())]
    pub watch_namespace: Vec<String>,

    /// Runs reconciled at the same time
    #[arg(long, env = "SLUICE_CONCURRENCY", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub concurrency: u16,

    /// What enforces the gate in this cluster, as the chart has installed it
    #[arg(long, env = "SLUICE_GATE_ENFORCEMENT", value_enum, default_value_t = Enforcement::AdmissionPolicy)]
    pub gate_enforcement: Enforcement,

    /// Seconds that a call to the API server may take, retries included; watches excepted
    #[arg(long, env = "SLUICE_API_TIMEOUT", default_value = "10", value_parser = seconds::<1>, value_name = "SECONDS")]
    pub api_timeout: Duration,

    /// Seconds after which another replica takes over from a silent leader, at least 5
    #[arg(long, env = "SLUICE_LEASE_DURATION", default_value = "15", value_parser = seconds::<5>, value_name = "SECONDS")]
    pub lease_duration: Duration,

    /// How the gate's webhook is served, where the API server cannot hold releases itself.
    #[command(flatten)]
    pub webhook: WebhookArgs,

    /// Seconds to finish what is in flight after SIGTERM; keep it below the pod's terminationGracePeriodSeconds
    #[arg(long, env = "SLUICE_SHUTDOWN_GRACE", default_value = "25", value_parser = seconds::<0>, value_name = "SECONDS")]
    pub shutdown_grace: Duration,
}

impl ControllerArgs {
    /// The namespaces to watch, each once; none means all.
    #[must_use]
    pub fn namespaces_to_watch(&self) -> Vec<String> {
        let each: BTreeSet<&String> = self.watch_namespace.iter().collect();
        each.into_iter().cloned().collect()
    }
}

/// The gate's webhook; none without an address.
#[derive(Debug, Clone, Default, Args)]
pub struct WebhookArgs {
    /// Address of the gate's webhook [default: none is served]
    #[arg(id = "webhook", long = "gate-webhook", value_name = "ADDRESS:PORT", requires_all = ["configuration", "host", "operator"])]
    pub listen: Option<SocketAddr>,

    /// Its MutatingWebhookConfiguration, in which this replica publishes its certificate
    #[arg(
        id = "configuration",
        long = "gate-configuration",
        default_value = "",
        hide_default_value = true,
        value_name = "NAME"
    )]
    pub configuration: String,

    /// Name by which the API server calls it
    #[arg(id = "host", long = "gate-host", default_value = "", hide_default_value = true, value_name = "HOST")]
    pub host: String,

    /// User name of the operator, who alone approves
    #[arg(id = "operator", long = "gate-operator", default_value = "", hide_default_value = true, value_name = "USER")]
    pub operator: String,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people, coloured on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// Whole seconds from `MIN` to one hour.
fn seconds<const MIN: u64>(text: &str) -> Result<Duration, String> {
    let count: u64 = text.parse().map_err(|_| "write a whole number of seconds, such as 15".to_owned())?;
    if (MIN..=3600).contains(&count) {
        Ok(Duration::from_secs(count))
    } else {
        Err(format!("must be from {MIN} to 3600 seconds"))
    }
}

fn own_namespace() -> String {
    first_line(NAMESPACE_FILE).unwrap_or_else(|| "sluice-system".to_owned())
}

fn own_identity() -> String {
    let host = first_line(HOSTNAME_FILE).unwrap_or_else(|| "sluice".to_owned());
    format!("{host}-{}", process::id())
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        controller: ControllerArgs,
    }

    fn parse(args: &[&str]) -> Result<ControllerArgs, clap::Error> {
        Program::try_parse_from(std::iter::once(&"sluice").chain(args)).map(|program| program.controller)
    }

    #[test]
    fn defaults_are_complete() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.listen.port(), 8080);
        assert_eq!(args.concurrency, 32);
        assert_eq!(args.api_timeout, Duration::from_secs(10));
        assert_eq!(args.lease_duration, Duration::from_secs(15));
        assert_eq!(args.shutdown_grace, Duration::from_secs(25));
        assert_eq!(args.log_format, LogFormat::Text);
        assert!(args.namespaces_to_watch().is_empty());
        assert!(!args.namespace.is_empty());
        assert!(!args.identity.is_empty());
    }

    #[test]
    fn some_namespaces_may_be_watched_each_once() {
        let watched = |args: &[&str]| parse(args).unwrap().namespaces_to_watch();
        assert_eq!(watched(&["--watch-namespace", "a"]), ["a"]);
        assert_eq!(
            watched(&["--watch-namespace", "b", "--watch-namespace", "a", "--watch-namespace", "b"]),
            ["a", "b"]
        );
        assert_eq!(watched(&["--watch-namespace", "a,b"]), ["a", "b"]);
        assert!(parse(&["--watch-namespace", ""]).is_err(), "no namespace is not all of them");
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        for bad in [
            ["--concurrency", "0"],
            ["--api-timeout", "0"],
            ["--api-timeout", "10s"],
            ["--lease-duration", "4"],
            ["--lease-duration", "3601"],
            ["--log-format", "xml"],
            ["--listen", "8080"],
        ] {
            assert!(parse(&bad).is_err(), "{bad:?} should be refused");
        }
    }
}
