//! A gated Deployment whose pods answer with their release, before the eyes of customers and of a witness. After every step it is
//! said which release serves with how many pods, and that none ever had a pod whose database was not clean.

use std::collections::BTreeSet;
use std::sync::Mutex;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Endpoints;
use kube::ResourceExt;
use kube::api::{EvictParams, ListParams};
use serde_json::{Value, json};

use crate::cluster;
use crate::customers::{Customers, Witness, image_of, serves};
use crate::world::{PATIENCE, World};

const BUSYBOX: &str = "localhost/busybox:1";
/// Answers with the release that its image names in its environment.
const SERVER: &str = "require('http').createServer((question, answer) => \
     answer.end(JSON.stringify({ release: process.env.RELEASE }))).listen(8080)";

/// The shop's image of a version: of those that the tests have, 1.0 to 1.4.
pub fn image(version: &str) -> String {
    format!("localhost/shop:{version}")
}

/// One Deployment on the stage.
pub struct Scene {
    pub world: World,
    pub app: String,
    witness: Witness,
    customers: Mutex<Option<Customers>>,
    /// The releases that may run: those whose database is clean, or about to be.
    fit: Mutex<BTreeSet<String>>,
}

impl Scene {
    /// Nothing but a Service in the world, and who looks on.
    pub async fn empty(world: &World, app: &str) -> Self {
        let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": app },
            "spec": { "selector": { "app": app }, "ports": [{ "port": 80, "targetPort": 8080 }] } });
        cluster::apply(&world.namespace, &service);
        Self::watched(world, app).await
    }

    /// Who looks on, where something else brings the Service.
    pub async fn watched(world: &World, app: &str) -> Self {
        let witness = Witness::of(world, app).await;
        Self { world: world.clone(), app: app.to_owned(), witness, customers: Mutex::default(), fit: Mutex::default() }
    }

    /// Release 1.0 has come through the gate and serves with two pods, and customers ask. `more` is laid over the Deployment.
    pub async fn serving(case: &str, more: Value) -> Self {
        let scene = Self::empty(&World::new(case).await, "app").await;
        scene.deploy("1.0", more);
        scene.run("1.0", "true", json!({}));
        scene.comes_through("the first release", "1.0", 2).await;
        scene.ask();
        scene
    }

    /// Another witness, when what ran before is gone: from now on nothing is fit yet.
    pub async fn begin_anew(&mut self) {
        let gone = self.witness.until(|seen| seen.now.values().all(|pod| pod.metadata.deletion_timestamp.is_none()));
        assert!(gone.await.is_ok(), "pods of an earlier release stay");
        self.witness = Witness::of(&self.world, &self.app).await;
        self.fit.lock().unwrap().clear();
    }

    /// Customers begin to ask.
    pub fn ask(&self) {
        let customers = Customers::ask(self.world.client.clone(), &self.world.namespace, &self.app);
        *self.customers.lock().unwrap() = Some(customers);
    }

    /// Customers leave, before something that nobody can serve through; the step says what they would have met.
    pub fn leave(&self, step: &str) {
        self.look(step);
        *self.customers.lock().unwrap() = None;
    }

    /// The Deployment as Git has it, with the image of a version.
    pub fn manifest(&self, version: &str, more: Value) -> Value {
        let probe = json!({ "httpGet": { "path": "/", "port": 8080 }, "periodSeconds": 1, "timeoutSeconds": 5 });
        let web = json!({ "name": "web", "image": image(version), "command": ["node", "-e", SERVER],
            "readinessProbe": probe });
        // As the first process it ignores SIGTERM, and so serves until nobody is sent to it any more.
        let pod = json!({ "terminationGracePeriodSeconds": 2, "containers": [web] });
        let mut deployment = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": self.app, "labels": { "sluice.dev/gated": "true" } },
            "spec": {
                "replicas": 2,
                "selector": { "matchLabels": { "app": self.app } },
                "strategy": { "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
                "template": { "metadata": { "labels": { "app": self.app } }, "spec": pod },
            },
        });
        json_patch::merge(&mut deployment, &more);
        deployment
    }

    /// A commit arrives: `kubectl apply` of the Deployment.
    pub fn deploy(&self, version: &str, more: Value) {
        cluster::apply(&self.world.namespace, &self.manifest(version, more));
    }

    /// The run `app` with this release, whose migration is this script. One that exits with 0 is clean.
    pub fn run(&self, version: &str, migrate: &str, more: Value) {
        let mut spec = json!({ "image": image(version), "migrate": { "image": BUSYBOX },
            "targets": [{ "kind": "Deployment", "name": self.app }] });
        json_patch::merge(&mut spec, &more);
        self.world.script("app", migrate, spec);
    }

    /// From now on this release may have pods.
    pub fn fit(&self, version: &str) {
        self.fit.lock().unwrap().insert(version.to_owned());
    }

    /// A release that does not come through: its migration fails, and the Deployment is held.
    pub async fn fails(&self, version: &str) {
        self.deploy(version, json!({}));
        self.run(version, "exit 1", json!({}));
        self.world.stalled("app").await;
        self.held(&format!("{version}, whose migration fails")).await;
    }

    /// Waits until it is held and the Deployment controller has seen it so.
    pub async fn held(&self, step: &str) {
        let held = |deployment: &Deployment| {
            let paused = deployment.spec.as_ref().is_some_and(|spec| spec.paused == Some(true));
            paused && deployment.annotations().contains_key("sluice.dev/held-by")
        };
        self.until(step, "it to be held", held).await;
    }

    /// Waits until nothing holds it any more.
    pub async fn let_go(&self, step: &str) {
        self.until(step, "it to be let go", |deployment| !deployment.annotations().contains_key("sluice.dev/held-by"))
            .await;
    }

    /// Waits until the Deployment satisfies and the Deployment controller has seen its newest spec.
    pub async fn until(&self, step: &str, what: &str, satisfied: impl Fn(&Deployment) -> bool) {
        let seen = |deployment: Option<&Deployment>| {
            let Some(deployment) = deployment else { return false };
            let observed = deployment.status.as_ref().and_then(|status| status.observed_generation);
            observed == deployment.metadata.generation && satisfied(deployment)
        };
        self.world.until(&self.app, &format!("{what} (step: {step})"), seen).await;
        self.look(step);
    }

    /// Waits until this release has come through with so many pods: all others are gone.
    pub async fn comes_through(&self, step: &str, version: &str, pods: usize) {
        self.fit(version);
        let out = |deployment: &Deployment| {
            let status = deployment.status.clone().unwrap_or_default();
            let counts = [status.updated_replicas, status.replicas, status.available_replicas];
            deployment_image(deployment) == image(version)
                && counts.iter().all(|count| usize::try_from(count.unwrap_or_default()) == Ok(pods))
        };
        self.until(step, &format!("{version} to come through"), out).await;
        self.serve(step, version, pods).await;
    }

    /// Waits until exactly so many pods serve, all of this release, and customers are sent to them.
    pub async fn serve(&self, step: &str, version: &str, pods: usize) {
        self.serve_all(step, &[version], pods).await;
    }

    /// The same, of these releases in any mixture.
    pub async fn serve_all(&self, step: &str, versions: &[&str], pods: usize) {
        let images: BTreeSet<String> = versions.iter().map(|version| image(version)).collect();
        let waited = self.witness.until(|seen| {
            let staying = seen.now.values().filter(|pod| pod.metadata.deletion_timestamp.is_none());
            let found: BTreeSet<String> = staying.clone().map(|pod| image_of(pod).to_owned()).collect();
            let serving = staying.clone().filter(|pod| serves(pod)).count();
            serving == pods && staying.count() == pods && (pods == 0 || found == images)
        });
        if let Err(seen) = waited.await {
            let pods: Vec<String> =
                seen.now.values().map(|pod| format!("{} {}", pod.name_any(), image_of(pod))).collect();
            self.wrong(step, &format!("not {pods:?} but {} pods of {versions:?} should serve", pods.len()));
        }
        let reached = |endpoints: Option<&Endpoints>| {
            let subsets = endpoints.iter().flat_map(|endpoints| endpoints.subsets.iter().flatten());
            subsets.flat_map(|subset| subset.addresses.iter().flatten()).count() == pods
        };
        self.world.until(&self.app, &format!("customers to be sent to {pods} pods (step: {step})"), reached).await;
        self.look(step);
        if pods > 0 {
            self.hear(step, versions).await;
        }
    }

    /// Waits until customers have heard of each of these releases.
    async fn hear(&self, step: &str, versions: &[&str]) {
        let Some(mut answers) = self.customers.lock().unwrap().as_ref().map(Customers::listen) else { return };
        let heard = answers.wait_for(|answers| versions.iter().all(|version| answers.contains_key(*version)));
        if tokio::time::timeout(PATIENCE, heard).await.is_err() {
            self.wrong(step, &format!("customers have not heard of {versions:?}"));
        }
    }

    /// That no release ever had a pod that may not, that customers heard of no other, and that each of them was answered.
    pub fn look(&self, step: &str) {
        let fit = self.fit.lock().unwrap().clone();
        for (found, pod) in self.witness.sees().ever {
            if !fit.iter().any(|version| image(version) == found) {
                self.wrong(step, &format!("pod {pod} has {found}, and only {fit:?} may run"));
            }
        }
        let heard = self.customers.lock().unwrap().as_ref().map(Customers::heard).unwrap_or_default();
        if heard.keys().any(|release| !fit.contains(release)) {
            self.wrong(step, &format!("customers heard {heard:?}, and only {fit:?} may answer"));
        }
    }

    /// The end: what customers have heard, each release by its version.
    pub fn heard(&self, step: &str) -> Vec<String> {
        self.look(step);
        let customers = self.customers.lock().unwrap();
        customers.as_ref().map(Customers::heard).unwrap_or_default().into_keys().collect()
    }

    /// Names of the pods that are there and stay.
    pub fn pods(&self) -> Vec<String> {
        let seen = self.witness.sees();
        let staying = seen.now.values().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        staying.map(ResourceExt::name_any).collect()
    }

    /// Every pod is evicted, one after the other, as a drain does.
    pub async fn drained(&self, step: &str, version: &str, pods: usize) {
        for pod in self.pods() {
            self.world.api::<k8s_openapi::api::core::v1::Pod>().evict(&pod, &EvictParams::default()).await.unwrap();
            self.replaced(step, &pod, version, pods).await;
        }
    }

    /// One pod is deleted.
    pub async fn one_deleted(&self, step: &str, version: &str, pods: usize) {
        let pod = self.pods().remove(0);
        self.world.kubectl(&["delete", "pod", &pod, "--wait=false"]);
        self.replaced(step, &pod, version, pods).await;
    }

    async fn replaced(&self, step: &str, pod: &str, version: &str, pods: usize) {
        let going = self.witness.until(|seen| seen.now.get(pod).is_none_or(|pod| !serves(pod)));
        assert!(going.await.is_ok(), "{step}: pod {pod} stays");
        self.serve(step, version, pods).await;
    }

    pub async fn scaled(&self, step: &str, version: &str, pods: usize) {
        self.world.kubectl(&["scale", "deployment", &self.app, &format!("--replicas={pods}")]);
        self.serve(step, version, pods).await;
    }

    /// The ReplicaSets with their images and how many pods each is to have.
    pub async fn sets(&self) -> Vec<(String, String, i32)> {
        let params = ListParams::default().labels(&format!("app={}", self.app));
        let listed = self.world.api::<ReplicaSet>().list(&params).await.unwrap();
        let of = |set: &ReplicaSet| {
            let spec = set.spec.clone().unwrap_or_default();
            let pod = spec.template.and_then(|template| template.spec);
            let image = pod.and_then(|pod| pod.containers[0].image.clone()).unwrap_or_default();
            (set.name_any(), image, spec.replicas.unwrap_or_default())
        };
        listed.iter().map(of).collect()
    }

    /// The name of the ReplicaSet of this release.
    pub async fn set(&self, version: &str) -> Option<String> {
        let sets = self.sets().await;
        sets.into_iter().find(|(_, found, _)| *found == image(version)).map(|(name, ..)| name)
    }

    /// Fails the test with all that there is to see.
    pub fn wrong(&self, step: &str, what: &str) -> ! {
        panic!("{}: after step \"{step}\": {what}\n{}", self.world.namespace, self.world.all_there_is())
    }
}

fn deployment_image(deployment: &Deployment) -> String {
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    pod.and_then(|pod| pod.containers[0].image.clone()).unwrap_or_default()
}
