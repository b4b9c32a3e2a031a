//! Reads: from the caches of labelled objects where those are as new as our own writes, from the API server where absence
//! would decide something, and from the log of a container that has ended.

pub mod caches;
mod fresh;
pub mod held;
pub mod log;
pub mod pod;
mod queue;
mod rollout;
pub mod scope;
pub mod serving;
mod targets;
mod upkeep;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};

use crate::api::status::Enforcement;
use crate::api::{MigrationRun, labels, names};
use crate::apply::Watermarks;
use crate::build;
use crate::classify::Step;
use crate::decide::Observed;
use crate::decide::observed::{ContainerSeen, Fence, JobSeen, JobView, Lock, RunIdentity};
use crate::decide::release::since;
use caches::Caches;
pub use targets::Peers;

/// Why an observation could not be made. The run is looked at again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cache is older than our own last write; its next event comes by itself.
    #[error("the cache is older than the last write to {0}")]
    Stale(String),
    /// A Job could not be read.
    #[error("failed to read job {1}: {0}")]
    ReadJob(#[source] Box<kube::Error>, String),
    /// The pods of a Job could not be read.
    #[error("failed to read the pods of job {1}: {0}")]
    ReadPods(#[source] Box<kube::Error>, String),
    /// The database's Lease, or its holder, could not be read.
    #[error("failed to read lease {1}: {0}")]
    ReadLease(#[source] Box<kube::Error>, String),
    /// A target could not be read.
    #[error("failed to read deployment {1}: {0}")]
    ReadTarget(#[source] Box<kube::Error>, String),
}

impl Error {
    /// Its name, for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Stale(_) => "Stale",
            Self::ReadJob(..) => "ReadJob",
            Self::ReadPods(..) => "ReadPods",
            Self::ReadLease(..) => "ReadLease",
            Self::ReadTarget(..) => "ReadTarget",
        }
    }
}

/// What observing needs.
#[derive(Clone)]
pub struct Observer {
    /// The client, for reads only.
    pub client: Client,
    /// The caches.
    pub caches: Caches,
    /// What we wrote last.
    pub watermarks: Watermarks,
    /// The operator's namespace, where the Leases are.
    pub namespace: String,
    /// The namespaces that are watched; all where there is none.
    pub watch_namespaces: Vec<String>,
    /// What enforces the gate.
    pub enforcement: Enforcement,
}

impl Observer {
    /// Everything that a decision about `run` is made of.
    ///
    /// # Errors
    /// When the cache is behind our own writes, or the API server does not answer.
    pub async fn observe(&self, run: &Arc<MigrationRun>, now: Timestamp) -> Result<Observed, Error> {
        let mut observed = self.blank(run, now);
        if observed.run.deleting {
            // It is let go, whatever else there is.
            return Ok(observed);
        }
        observed.targets = self.targets(run, now).await?;
        if observed.status.release.is_none() {
            // It is taken up, whatever else there is.
            return Ok(observed);
        }
        observed.kept_open = self.kept_open(&observed);
        let database = self.database(&observed);
        match observed.status.active_attempt().cloned() {
            Some(attempt) if attempt.migration_is_judged() => {
                let name = observed.job_name("check", attempt.number);
                let (lock, check) = (self.lock(&observed, &database), self.job(&observed, &name, Step::Check));
                (observed.lock, observed.check) = futures::try_join!(lock, check)?;
            }
            None if observed.status.is_clean() || observed.status.is_stalled() => {
                observed.lock = self.lock_at_rest(&observed, &database);
                observed.expired = self.expired(&observed);
            }
            active => {
                let number = active.as_ref().map_or_else(|| observed.next_attempt(), |attempt| attempt.number);
                if active.is_none() {
                    observed.refusal = build::job::refusal(&observed);
                }
                let name = observed.job_name("migrate", number);
                let (lock, migrate) = (self.lock(&observed, &database), self.job(&observed, &name, Step::Migrate));
                (observed.lock, observed.migrate) = futures::try_join!(lock, migrate)?;
                observed.ahead = queue::ahead(&self.caches, &observed);
                observed.rival = self.rival(&observed, &database).await?;
                observed.orphan = self.orphan(&observed).await?;
            }
        }
        Ok(observed)
    }

    /// A Job of another run, or a pod of none, that works on the database. Where absence would let something start, the
    /// caches are not believed.
    async fn rival(&self, observed: &Observed, database: &str) -> Result<Option<String>, Error> {
        let rival = |jobs: &[Arc<Job>], pods: &[Arc<Pod>]| {
            queue::rival(&self.caches, observed, database, jobs).or_else(|| queue::lingering(observed, database, pods))
        };
        let cached = rival(&self.caches.jobs.state(), &self.caches.pods.state());
        let starts = observed.status.active_attempt().is_none()
            && matches!(observed.lock, Lock::Mine(_) | Lock::Held { abandoned: Some(_), .. });
        if cached.is_some() || !starts {
            return Ok(cached);
        }
        let params = ListParams::default().labels(&format!("{}={database}", labels::DATABASE));
        let (jobs, pods) = futures::join!(self.everywhere::<Job>(&params), self.everywhere::<Pod>(&params));
        let jobs = jobs.map_err(|error| Error::ReadJob(Box::new(error), "of the database".to_owned()))?;
        let pods = pods.map_err(|error| Error::ReadPods(Box::new(error), "of the database".to_owned()))?;
        Ok(rival(&shared(jobs), &shared(pods)))
    }

    /// The pod of the active attempt's migrate Job, where the Job is gone and the pod's container may still run.
    async fn orphan(&self, observed: &Observed) -> Result<Option<String>, Error> {
        let Some(attempt) = observed.status.active_attempt().filter(|attempt| attempt.migrate.ended_at.is_none())
        else {
            return Ok(None);
        };
        if !matches!(observed.migrate, JobSeen::Absent) {
            return Ok(None);
        }
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &observed.run.namespace);
        let params = ListParams::default().labels(&format!("{}={}", labels::RUN_UID, observed.run.uid));
        let pods = api.list(&params).await;
        let pods = pods.map_err(|error| Error::ReadPods(Box::new(error), attempt.migrate.job.clone()))?;
        let its = |pod: &&Pod| pod.owner_references().iter().any(|owner| owner.uid == attempt.migrate.uid);
        Ok(pods.items.iter().find(|pod| its(pod) && pod::may_run(pod)).map(ResourceExt::name_any))
    }

    fn blank(&self, run: &Arc<MigrationRun>, now: Timestamp) -> Observed {
        let wish = |key: &str| run.annotations().get(key).map(|token| (token.clone(), written_by(run, key)));
        Observed {
            now,
            run: RunIdentity {
                namespace: run.namespace().unwrap_or_default(),
                name: run.name_any(),
                uid: run.uid().unwrap_or_default(),
                generation: run.metadata.generation.unwrap_or_default(),
                deleting: run.metadata.deletion_timestamp.is_some(),
                retry: wish(labels::RETRY),
                rollback: wish(labels::ROLLBACK),
            },
            spec: Arc::new(run.spec.clone()),
            status: Arc::new(run.status.clone().unwrap_or_default()),
            enforcement: self.enforcement,
            ..Observed::default()
        }
    }

    fn database(&self, observed: &Observed) -> String {
        let id = observed.status.release.as_ref().map(|release| release.database_id.clone());
        names::digest_hex(&[&id.unwrap_or_else(|| observed.spec.database_id(&observed.run.namespace))])
    }

    async fn lock(&self, observed: &Observed, database: &str) -> Result<Lock, Error> {
        let name = names::database_lease(database);
        let cached =
            self.caches.lease(&self.namespace, &name).filter(|lease| !self.watermarks.is_behind(lease.as_ref()));
        let lease = match cached {
            Some(lease) => Some(lease),
            None => {
                let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
                api.get_opt(&name).await.map_err(|error| Error::ReadLease(Box::new(error), name.clone()))?.map(Arc::new)
            }
        };
        let Some(lease) = lease else { return Ok(Lock::Free) };
        let (seen, holder) = (fence(lease.as_ref()), holder(&lease));
        let uid = build::lease::holder_uid(holder);
        if uid == observed.run.uid {
            return Ok(Lock::Mine(seen));
        }
        let by = lease.annotations().get(labels::RUN).cloned().unwrap_or_else(|| holder.to_owned());
        let abandoned = self.is_gone(&by, uid).await?.then_some(seen);
        Ok(Lock::Held { by, abandoned })
    }

    /// The lock as the cache has it, for a run that rests: it only gives back what it has, so absence decides nothing.
    fn lock_at_rest(&self, observed: &Observed, database: &str) -> Lock {
        let cached = self.caches.lease(&self.namespace, &names::database_lease(database));
        let current = cached.filter(|lease| !self.watermarks.is_behind(lease.as_ref()));
        let mine = current.filter(|lease| build::lease::holder_uid(holder(lease)) == observed.run.uid);
        mine.map_or(Lock::Free, |lease| Lock::Mine(fence(lease.as_ref())))
    }

    /// Whether a run is gone. Absence is believed from the API server alone.
    async fn is_gone(&self, run: &str, uid: &str) -> Result<bool, Error> {
        let (namespace, name) = run.split_once('/').unwrap_or_default();
        if self.caches.run(namespace, name).is_some_and(|run| run.uid().as_deref() == Some(uid)) {
            return Ok(false);
        }
        let api: Api<kube::core::PartialObjectMeta<MigrationRun>> = Api::namespaced(self.client.clone(), namespace);
        let found =
            api.get_metadata_opt(name).await.map_err(|error| Error::ReadLease(Box::new(error), run.to_owned()))?;
        Ok(found.is_none_or(|found| found.metadata.uid.as_deref() != Some(uid)))
    }

    async fn job(&self, observed: &Observed, name: &str, step: Step) -> Result<JobSeen, Error> {
        let cached =
            self.caches.job(&observed.run.namespace, name).filter(|job| !self.watermarks.is_behind(job.as_ref()));
        let job = match cached {
            Some(job) => Some(job),
            None => {
                let api: Api<Job> = Api::namespaced(self.client.clone(), &observed.run.namespace);
                api.get_opt(name).await.map_err(|error| Error::ReadJob(Box::new(error), name.to_owned()))?.map(Arc::new)
            }
        };
        let Some(job) = job else { return Ok(JobSeen::Absent) };
        let ours =
            job.owner_references().iter().any(|owner| owner.uid == observed.run.uid && owner.controller == Some(true));
        if !ours {
            return Ok(JobSeen::Stranger(name.to_owned()));
        }
        let container = self.container(observed, &job, step).await?;
        Ok(JobSeen::Ours(Box::new(view(&job, container))))
    }

    async fn container(&self, observed: &Observed, job: &Job, step: Step) -> Result<ContainerSeen, Error> {
        let seen = match self.cached_container(job, step) {
            seen if decides(&seen, job, observed) => self.container_now(observed, job, step).await?,
            seen => seen,
        };
        let ended = match seen {
            pod::Seen::Waiting(trouble) => return Ok(ContainerSeen::Waiting(trouble)),
            pod::Seen::Running(at) => return Ok(ContainerSeen::Running(at)),
            pod::Seen::Ended(ended) => ended,
        };
        // A rule that is none is refused before an attempt begins; here it is left out, since a verdict is due.
        let own = observed.spec.own_rules().ok().filter(|_| observed.spec.classification.is_some()).map(Arc::new);
        let reading = log::Reading { tool: observed.spec.tool_or_default(), step, own };
        let (verdict, _) = log::read(&self.client, &observed.run.namespace, &reading, &ended).await;
        Ok(ContainerSeen::Ended(Box::new(crate::decide::observed::Ended {
            started_at: ended.started_at,
            ended_at: ended.ended_at,
            exit_code: ended.exit_code,
            image_id: ended.image_id,
            verdict,
        })))
    }

    fn cached_container(&self, job: &Job, step: Step) -> pod::Seen {
        pod::container(self.caches.pod_of(job).as_deref(), job, step, self.caches.creation_trouble(job))
    }

    /// The container as the API server has it now.
    async fn container_now(&self, observed: &Observed, job: &Job, step: Step) -> Result<pod::Seen, Error> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &observed.run.namespace);
        let params = ListParams::default().labels(&format!("{}={}", labels::RUN_UID, observed.run.uid));
        let pods = api.list(&params).await.map_err(|error| Error::ReadPods(Box::new(error), job.name_any()))?;
        let pod = caches::newest_of(job, pods.items);
        Ok(pod::container(pod.as_ref(), job, step, self.caches.creation_trouble(job)))
    }

    /// Jobs that only other containers keep open. Their step's end is on record: ending them takes the pod and its log away.
    fn kept_open(&self, observed: &Observed) -> Vec<Fence> {
        let status = &observed.status;
        let steps = status.attempts.iter().flat_map(|attempt| std::iter::once(&attempt.migrate).chain(&attempt.check));
        let ended = steps.filter(|step| step.ended_at.is_some());
        let jobs = ended.filter_map(|step| {
            let job = self.caches.job(&observed.run.namespace, &step.job)?;
            (job.uid().as_ref() == Some(&step.uid)).then_some(job)
        });
        jobs.filter(|job| finished(job).is_none() && !pod::given_up(job))
            .filter(|job| self.caches.pod_of(job).is_some_and(|pod| pod::others_run(&pod)))
            .map(|job| fence(job.as_ref()))
            .collect()
    }

    /// Jobs that nobody needs: finished ones of releases beyond the history's limit, and ones of releases before this that
    /// were never let go, since a crash came before they were on record. Other runs of the database wait for those.
    fn expired(&self, observed: &Observed) -> Vec<Fence> {
        let generation = |job: &Job| job.labels().get(labels::GENERATION).and_then(|value| value.parse::<i64>().ok());
        let jobs = self.caches.jobs_of(&observed.run.namespace, &observed.run.uid);
        let mut generations: Vec<i64> = jobs.iter().filter_map(|job| generation(job)).collect();
        generations.sort_unstable_by(|a, b| b.cmp(a));
        generations.dedup();
        let kept = observed.spec.history_limit();
        let oldest_kept = generations.get(kept.saturating_sub(1)).copied();
        let current = observed.status.release.as_ref().map(|release| release.generation);
        let before = |job: &Job, limit: Option<i64>| generation(job).zip(limit).is_some_and(|(of, limit)| of < limit);
        let unneeded = jobs.iter().filter(|job| match finished(job) {
            Some(_) => before(job, oldest_kept),
            None => before(job, current) && never_let_go(job),
        });
        unneeded.filter(|job| job.metadata.deletion_timestamp.is_none()).map(|job| fence(job.as_ref())).collect()
    }
}

fn never_let_go(job: &Job) -> bool {
    let started = job.status.as_ref().and_then(|status| status.start_time.as_ref());
    started.is_none() && job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false)
}

/// Whether something final follows from a container that has not ended, or has not started: the end of an attempt, or that
/// of the Job. The cache of pods may be behind that of Jobs, so it is not believed then.
fn decides(seen: &pod::Seen, job: &Job, observed: &Observed) -> bool {
    let resumed_at = job.status.as_ref().and_then(|status| status.start_time.as_ref());
    let overdue = || resumed_at.is_some_and(|at| since(at.0, observed.now) >= observed.spec.start_timeout());
    match seen {
        pod::Seen::Waiting(_) => finished(job).is_some() || overdue(),
        pod::Seen::Running(_) => finished(job).is_some(),
        pod::Seen::Ended(_) => false,
    }
}

fn shared<K>(objects: Vec<K>) -> Vec<Arc<K>> {
    objects.into_iter().map(Arc::new).collect()
}

fn view(job: &Job, container: ContainerSeen) -> JobView {
    let spec = job.spec.as_ref();
    let end = finished(job);
    JobView {
        job: fence(job),
        suspended: spec.and_then(|spec| spec.suspend).unwrap_or(false),
        resumed_at: job.status.as_ref().and_then(|status| status.start_time.as_ref()).map(|time| time.0),
        deadline: spec.and_then(|spec| spec.active_deadline_seconds),
        finished: end.is_some(),
        failed: end.flatten(),
        container,
    }
}

fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

/// An object, in the version that it has.
fn fence<K: Resource>(object: &K) -> Fence {
    Fence {
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        resource_version: object.resource_version().unwrap_or_default(),
    }
}

/// Whether a Job is finished, and why it failed if it did.
fn finished(job: &Job) -> Option<Option<String>> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let set = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
    match (set("Complete"), set("Failed")) {
        (_, Some(failed)) => Some(Some(failed.reason.clone().unwrap_or_default())),
        (Some(_), None) => Some(None),
        (None, None) => None,
    }
}

/// The field manager that wrote an annotation, as far as the API tells.
fn written_by(run: &MigrationRun, key: &str) -> Option<String> {
    let field = format!("f:{key}");
    let wrote = |entry: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| {
        entry.fields_v1.as_ref().is_some_and(|fields| {
            fields.0.pointer("/f:metadata/f:annotations").is_some_and(|annotations| annotations.get(&field).is_some())
        })
    };
    run.metadata.managed_fields.as_ref()?.iter().find(wrote)?.manager.clone()
}

#[cfg(test)]
mod tests;
