//! The cluster that a command is about, as kubectl finds it.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use tower::layer::util::Identity;

use super::{Failure, answer};
use crate::runtime::client;
use crate::runtime::metrics::Metrics;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(30);

/// Which cluster and namespace.
#[derive(clap::Args, Clone, Debug)]
pub struct Connection {
    /// Namespace [default: that of the context]
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,

    /// Context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// The kubeconfig [default: those of KUBECONFIG, else ~/.kube/config, else the pod's own account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    /// The connection.
    pub client: Client,
    /// The namespace that the command is about.
    pub namespace: String,
    /// What the commands that are proposed have to say besides: the namespace, where it is not the context's.
    pub flags: String,
}

impl Connection {
    /// Finds it. The API server is not asked yet.
    ///
    /// # Errors
    /// When there is no kubeconfig or no such context, in words.
    pub async fn connect(&self) -> Result<Cluster, Failure> {
        let config = self.config().await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = client::connect_with(config, CALL, &Metrics::new(), &Identity::new());
        let client = client.map_err(|error| Failure::failed(answer::chain(&error)))?;
        Ok(Cluster { client, namespace, flags: self.flags() })
    }

    async fn config(&self) -> Result<Config, Failure> {
        let wrong = |error: &dyn std::error::Error| Failure::failed(answer::chain(error));
        let read = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None if self.context.is_none() => {
                return Config::infer().await.map_err(|error| {
                    let help = "found no cluster: set KUBECONFIG or --kubeconfig";
                    Failure::failed(format!("{help} ({})", answer::chain(&error)))
                });
            }
            None => Kubeconfig::read(),
        };
        let kubeconfig = read.map_err(|error| wrong(&error))?;
        if let Some(name) = &self.context
            && !kubeconfig.contexts.iter().any(|context| context.name == *name)
        {
            let known: Vec<&str> = kubeconfig.contexts.iter().map(|context| context.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Failure::failed(format!("no context {name:?} in the kubeconfig; it has {known}")));
        }
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| wrong(&error))
    }

    fn flags(&self) -> String {
        let each = [("-n", self.namespace.as_deref()), ("--context", self.context.as_deref())];
        each.iter().filter_map(|(flag, value)| Some(format!(" {flag} {}", (*value)?))).collect()
    }
}

impl Cluster {
    /// The objects of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// What an error means to a person, who was about to do this.
    pub fn wrong(&self, doing: &str, error: &kube::Error) -> Failure {
        Failure::failed(answer::words(doing, &self.namespace, error))
    }
}
