//! One case's namespace: its run, its node, and what is there in the end.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;
use sluice::api::status::{AttemptOutcome, Failure};
use sluice::api::{MigrationRun, MigrationRunStatus, labels, names};

use crate::cluster::Cluster;
use crate::node::{Duty, Node, duty};
use crate::operator::Operator;
use crate::story::{Story, TARGET};
use crate::wire::LEADER_LEASE;

/// The run's name.
pub const RUN: &str = "shop";

/// A namespace, which also is the operator's own.
pub struct Scene {
    pub cluster: Cluster,
    pub namespace: String,
    pub node: Node,
    story: Story,
}

/// What a case is compared by: all that must not depend on what was done to the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    pub step: Option<String>,
    /// Type, status and reason.
    pub conditions: Vec<[String; 3]>,
    pub failure: Option<Blame>,
    pub attempts: Vec<(i32, Option<AttemptOutcome>, Option<Blame>)>,
    pub jobs: BTreeSet<Duty>,
    pub pods: BTreeMap<Duty, usize>,
    pub budgets: BTreeSet<String>,
    /// The images that are approved, where there is a target.
    pub approved: Vec<String>,
    /// The ReplicaSets: each by its image and how many pods it is to have.
    pub sets: BTreeSet<(String, i32)>,
}

/// What a failure says.
#[derive(Clone, Debug, PartialEq)]
pub struct Blame {
    pub class: String,
    pub reason: Option<String>,
    pub code: Option<String>,
    pub migration: Option<String>,
    pub triage: Option<String>,
}

/// What a late write must not touch. Versions of Jobs and pods are the Job controller's, which is slower than the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Marks {
    run: (Option<String>, Option<String>),
    jobs: BTreeSet<(String, Option<i64>)>,
    pods: BTreeSet<String>,
    leases: BTreeSet<String>,
}

impl Scene {
    /// Makes the namespace `name`, its node and its run.
    pub async fn open(cluster: &Cluster, name: &str, story: Story) -> Self {
        let scene = Self {
            cluster: cluster.clone(),
            namespace: name.to_owned(),
            node: Node::start(&cluster.client, name, story),
            story,
        };
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::all(cluster.client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        // Pods are refused without it, and the Job controller is slow to try again.
        let exists = |account: Option<&ServiceAccount>| account.is_some();
        await_condition(scene.api::<ServiceAccount>(), "default", exists).await.unwrap();
        if let Some(deployment) = story.deployment() {
            scene.api().create(&PostParams::default(), &deployment).await.unwrap();
        }
        if story == Story::RolledBack {
            scene.keep_releases().await;
        }
        scene
    }

    pub async fn create_run(&self) {
        let mut run = MigrationRun::new(RUN, self.story.spec(&self.namespace));
        run.metadata.annotations = self.story.wishes();
        self.api().create(&PostParams::default(), &run).await.unwrap();
    }

    /// The Lease of the election, held by nobody: one that a replica creates would look like a write of its work.
    pub async fn create_leader_lease(&self) {
        let metadata = ObjectMeta { name: Some(LEADER_LEASE.to_owned()), ..ObjectMeta::default() };
        let lease = Lease { metadata, ..Lease::default() };
        self.api().create(&PostParams::default(), &lease).await.unwrap();
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.cluster.client.clone(), &self.namespace)
    }

    /// Resolves when the run is finished and has given its database back.
    pub async fn finished(&self) {
        let finished = |run: Option<&MigrationRun>| run.is_some_and(|run| is_finished(&status(run)));
        await_condition(self.api::<MigrationRun>(), RUN, finished).await.unwrap();
        self.unlocked().await;
        if self.story == Story::RolledBack {
            // What serves is kept anew, as the newest.
            let kept = |kept: Option<&ControllerRevision>| kept.is_some();
            await_condition(self.api::<ControllerRevision>(), "shop-0-3", kept).await.unwrap();
        }
    }

    /// Resolves when the fault has come; with false where the story has ended without. How often a rollback's record is written
    /// follows from when pods come and go, so its last writes are not made each time.
    pub async fn struck(&self, operator: &Operator) -> bool {
        if self.story != Story::RolledBack {
            operator.wire.struck().await;
            return true;
        }
        tokio::select! {
            biased;
            () = operator.wire.struck() => true,
            () = self.finished() => false,
        }
    }

    /// Waits until the Deployment's release serves; it is on record as complete, and one before it.
    async fn keep_releases(&self) {
        let serves = |deployment: Option<&Deployment>| {
            let status = deployment.and_then(|deployment| deployment.status.as_ref());
            status.is_some_and(|status| status.available_replicas == Some(1))
        };
        await_condition(self.api::<Deployment>(), TARGET, serves).await.unwrap();
        let deployment: Deployment = self.api().get(TARGET).await.unwrap();
        let set = self.list::<ReplicaSet>().await.remove(0);
        let manifest = json!({ "metadata": { "name": set.name_any(), "labels": set.labels() }, "spec": set.spec });
        let before = manifest.to_string().replace("shop:1", "shop:0").replace(&set.name_any(), "shop-0");
        let hash = set.labels()["pod-template-hash"].clone();
        let before = serde_json::from_str(&before.replace(&hash, "0")).unwrap();
        for (number, manifest) in [(1, before), (2, manifest)] {
            let kept = sluice::build::kept::revision(&deployment, number, &manifest).unwrap();
            self.api::<ControllerRevision>().create(&PostParams::default(), &kept).await.unwrap();
        }
    }

    /// Resolves when nobody holds the database.
    pub async fn unlocked(&self) {
        let lease = names::database_lease(&names::digest_hex(&[&self.namespace]));
        await_condition(self.api::<Lease>(), &lease, |lease: Option<&Lease>| lease.is_none()).await.unwrap();
    }

    /// Resolves with the names of the Jobs that were let go, when the Job controller has done with all of them.
    pub async fn jobs_end(&self) -> Vec<String> {
        let suspended = |job: &Job| job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false);
        let jobs = self.list::<Job>().await.into_iter().filter(|job| !suspended(job));
        let names: Vec<String> = jobs.map(|job| job.name_any()).collect();
        for name in &names {
            let ended = |job: Option<&Job>| {
                let conditions = job.and_then(|job| job.status.as_ref()).and_then(|status| status.conditions.as_ref());
                let mut conditions = conditions.into_iter().flatten();
                conditions.any(|is| ["Complete", "Failed"].contains(&is.type_.as_str()) && is.status == "True")
            };
            await_condition(self.api::<Job>(), name, ended).await.unwrap();
        }
        names
    }

    pub async fn run(&self) -> MigrationRun {
        self.api().get(RUN).await.unwrap()
    }

    pub async fn ending(&self) -> Ending {
        let run = self.run().await;
        let status = status(&run);
        let conditions = status.conditions.iter().map(|is| [is.type_.clone(), is.status.clone(), is.reason.clone()]);
        let attempts = status.attempts.iter().map(|is| (is.number, is.outcome, is.failure.as_ref().map(Blame::of)));
        Ending {
            step: status.step.clone(),
            conditions: conditions.collect(),
            failure: status.failure.as_ref().map(Blame::of),
            attempts: attempts.collect(),
            jobs: self.list::<Job>().await.iter().map(|job| expected(&run, job)).collect(),
            pods: self.node.pods(),
            budgets: self.list::<PodDisruptionBudget>().await.iter().map(duty).collect(),
            approved: self.list::<Deployment>().await.iter().filter_map(approved).collect(),
            sets: self.list::<ReplicaSet>().await.iter().map(set).collect(),
        }
    }

    pub async fn marks(&self) -> Marks {
        let run = self.run().await;
        let (jobs, pods, leases) = (self.list::<Job>().await, self.list::<Pod>().await, self.list::<Lease>().await);
        let locks = leases.iter().filter(|lease| lease.labels().contains_key(labels::DATABASE));
        Marks {
            run: (run.uid(), run.resource_version()),
            jobs: jobs.iter().map(|job| (job.uid().unwrap_or_default(), job.metadata.generation)).collect(),
            pods: pods.iter().filter_map(ResourceExt::uid).collect(),
            leases: locks.filter_map(ResourceExt::uid).collect(),
        }
    }

    async fn list<K>(&self) -> Vec<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        self.api::<K>().list(&ListParams::default()).await.unwrap().items
    }
}

impl Blame {
    fn of(failure: &Failure) -> Self {
        let triage = failure.triage.as_ref().map(|triage| format!("{} {:?}", triage.outcome, triage.migration));
        let Failure { class, reason, code, migration, .. } = failure.clone();
        Self { class, reason, code, migration, triage }
    }
}

fn approved(deployment: &Deployment) -> Option<String> {
    deployment.annotations().get(labels::APPROVED_IMAGES).cloned()
}

fn set(set: &ReplicaSet) -> (String, i32) {
    let spec = set.spec.clone().unwrap_or_default();
    let pod = spec.template.and_then(|template| template.spec).unwrap_or_default();
    (pod.containers[0].image.clone().unwrap_or_default(), spec.replicas.unwrap_or_default())
}

fn status(run: &MigrationRun) -> MigrationRunStatus {
    run.status.clone().unwrap_or_default()
}

fn is_finished(status: &MigrationRunStatus) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == "Finished" && condition.status == "True")
}

/// A Job's duty where its name is the one that such a Job must have, else the name itself.
fn expected(run: &MigrationRun, job: &Job) -> String {
    let duty = duty(job);
    let (step, attempt) = duty.split_once('-').unwrap_or_default();
    let generation = run.metadata.generation.unwrap_or_default();
    let name = names::job(RUN, &run.uid().unwrap_or_default(), generation, step, attempt.parse().unwrap_or_default());
    if job.name_any() == name { duty } else { job.name_any() }
}
