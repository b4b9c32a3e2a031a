//! Caches of what carries our labels: runs, Jobs, pods and Leases; and of the Events that say why a Job has no pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Container, Event, Pod, PodSpec};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};

use crate::api::{MigrationRun, labels};
use crate::classify::Reason;
use crate::decide::observed::Trouble;

/// A run, or what is left of it where it cannot be read.
pub type GuardedRun = DeserializeGuard<MigrationRun>;

/// The caches.
#[derive(Clone)]
pub struct Caches {
    /// Runs of all namespaces that are watched.
    pub runs: Store<GuardedRun>,
    /// Jobs that carry our label.
    pub jobs: Store<Job>,
    /// Pods that carry our label.
    pub pods: Store<Pod>,
    /// Leases in the operator's namespace that carry our label.
    pub leases: Store<Lease>,
    /// `FailedCreate` Events of Jobs.
    pub events: Store<Event>,
    /// Deployments with the gate's label.
    pub deployments: Store<Deployment>,
    /// ReplicaSets in custody, by which nothing is decided: they are counted.
    pub custody: Store<ReplicaSet>,
}

impl Caches {
    /// Resolves when all that a run is judged by is here, which is every cache but that of the runs and of custody; with false,
    /// when the watches have ended before. To be called once: a cache wakes only one of those who wait for it.
    pub fn filled(&self) -> Shared<BoxFuture<'static, bool>> {
        // By name, so that a cache that is added does not compile until it is waited for.
        let Self { runs: _, custody: _, jobs, pods, leases, events, deployments } = self.clone();
        let filled = async move {
            let (jobs, pods) = (jobs.wait_until_ready(), pods.wait_until_ready());
            let (leases, events) = (leases.wait_until_ready(), events.wait_until_ready());
            let deployments = deployments.wait_until_ready();
            futures::try_join!(jobs, pods, leases, events, deployments).is_ok()
        };
        filled.boxed().shared()
    }

    /// A run that can be read.
    #[must_use]
    pub fn run(&self, namespace: &str, name: &str) -> Option<MigrationRun> {
        let guarded = self.runs.get(&ObjectRef::new(name).within(namespace))?;
        guarded.0.as_ref().ok().cloned()
    }

    /// The runs of a namespace that name a Deployment and are there to stay.
    #[must_use]
    pub fn runs_that_name(&self, namespace: &str, deployment: &str) -> Vec<Arc<GuardedRun>> {
        self.runs.state_filter(|run| {
            run.meta().namespace.as_deref() == Some(namespace)
                && run.meta().deletion_timestamp.is_none()
                && run.0.as_ref().is_ok_and(|run| run.spec.targets().iter().any(|target| target.name == deployment))
        })
    }

    /// A Job.
    #[must_use]
    pub fn job(&self, namespace: &str, name: &str) -> Option<Arc<Job>> {
        self.jobs.get(&ObjectRef::new(name).within(namespace))
    }

    /// The Jobs of a run.
    #[must_use]
    pub fn jobs_of(&self, namespace: &str, uid: &str) -> Vec<Arc<Job>> {
        self.jobs.state_filter(|job| {
            job.metadata.namespace.as_deref() == Some(namespace)
                && job.labels().get(labels::RUN_UID).is_some_and(|value| value == uid)
                && job.owner_references().iter().any(|owner| owner.uid == uid)
        })
    }

    /// A Lease.
    #[must_use]
    pub fn lease(&self, namespace: &str, name: &str) -> Option<Arc<Lease>> {
        self.leases.get(&ObjectRef::new(name).within(namespace))
    }

    /// A Job's pod; the newest, should there ever be two.
    #[must_use]
    pub fn pod_of(&self, job: &Job) -> Option<Arc<Pod>> {
        let uid = job.uid();
        let its = |pod: &Pod| pod.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref());
        newest_of(job, self.pods.state_filter(its))
    }

    /// Why a Job has no pod, as the Job controller's Events say.
    #[must_use]
    pub fn creation_trouble(&self, job: &Job) -> Option<Trouble> {
        let uid = job.uid();
        let mut events = self.events.state_filter(|event| event.involved_object.uid == uid);
        events.sort_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0));
        let message = events.pop()?.message.clone()?;
        Some(Trouble {
            reason: Reason::of_refusal(&message),
            message: crate::classify::redact::evidence(vec![message]).join(" "),
        })
    }
}

/// Takes from a Job what no decision reads: the template of its pod is most of it, and other people's labels.
pub fn trim_job(job: &mut Job) {
    if let Some(spec) = &mut job.spec {
        spec.template = Default::default();
    }
    trim_labels(&mut job.metadata.labels);
}

/// Takes from a Deployment what no decision reads: of its template all but the containers' names and images.
pub fn trim_deployment(deployment: &mut Deployment) {
    let spec = deployment.spec.as_mut().and_then(|spec| spec.template.spec.as_mut());
    let Some(pod) = spec else { return };
    let bare = |container: &Container| Container {
        name: container.name.clone(),
        image: container.image.clone(),
        restart_policy: container.restart_policy.clone(),
        ..Container::default()
    };
    *pod = PodSpec {
        containers: pod.containers.iter().map(bare).collect(),
        init_containers: pod.init_containers.as_ref().map(|all| all.iter().map(bare).collect()),
        ..PodSpec::default()
    };
}

/// Takes from a ReplicaSet all but whose it is and since when: what is decided by one is read from the API server.
pub fn trim_replica_set(set: &mut ReplicaSet) {
    set.spec = None;
    set.status = None;
    if let Some(annotations) = &mut set.metadata.annotations {
        annotations.retain(|key, _| key == labels::CUSTODY_SINCE);
    }
}

/// Takes from a pod what no decision reads: what it was asked to be, and other people's labels.
pub fn trim_pod(pod: &mut Pod) {
    pod.spec = None;
    pod.metadata.annotations = None;
    trim_labels(&mut pod.metadata.labels);
    let Some(status) = &mut pod.status else { return };
    let ended = ["Succeeded", "Failed"].iter().any(|phase| status.phase.as_deref() == Some(phase));
    if let Some(conditions) = &mut status.conditions {
        // Of a pod that has ended only why it was ended says anything.
        conditions.retain(|condition| !ended || condition.type_ == "DisruptionTarget");
        conditions.shrink_to_fit();
    }
}

fn trim_labels(labels: &mut Option<BTreeMap<String, String>>) {
    // Made anew, since a map keeps the room of what is taken from it.
    *labels = labels.take().map(|all| all.into_iter().filter(|(key, _)| labels::is_ours(key)).collect());
}

/// The newest of `pods` that is the Job's.
pub fn newest_of<P: std::borrow::Borrow<Pod>>(job: &Job, pods: Vec<P>) -> Option<P> {
    let uid = job.uid()?;
    let its = pods.into_iter().filter(|pod| pod.borrow().owner_references().iter().any(|owner| owner.uid == uid));
    its.max_by_key(|pod| pod.borrow().metadata.creation_timestamp.as_ref().map(|time| time.0))
}
