//! The cluster that `KUBECONFIG` names.

use std::fs;
use std::path::Path;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, Config, ResourceExt};
use tokio::sync::OnceCell;

/// A way to the cluster of the runtime that asked for it.
#[derive(Clone)]
pub struct Cluster {
    pub config: Config,
    /// The test's own client, which nothing injures.
    pub client: Client,
}

impl Cluster {
    /// Connects, and installs the CRDs where nobody has in this process.
    pub async fn connect() -> Self {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let config = Config::infer().await.expect("KUBECONFIG names no cluster: see tests/cluster/up");
        let client = Client::try_from(config.clone()).unwrap();
        INSTALLED.get_or_init(|| install(&client)).await;
        Self { config, client }
    }
}

async fn install(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let wanted: CustomResourceDefinition = serde_saphyr::from_str(&text).unwrap();
        let name = wanted.name_any();
        api.patch(&name, &PatchParams::apply("crash-test").force(), &Patch::Apply(&wanted)).await.unwrap();
        await_condition(api.clone(), &name, conditions::is_crd_established()).await.unwrap();
    }
}
