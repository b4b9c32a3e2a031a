//! The Deployments that a run gates, and the other runs that name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::core::Selector;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Resource, ResourceExt};

use super::caches::Caches;
use super::fresh::Freshness;
use super::serving::{rests, running_as, serving};
use super::{Error, Observer, fence};
use crate::api::status::RollbackRecord;
use crate::api::target::Target;
use crate::api::{MigrationRun, MigrationRunStatus, labels};
use crate::decide::custody::{self, Progress};
use crate::decide::gate::needs_approval;
use crate::decide::observed::{DeploymentSeen, TargetSeen};
use crate::decide::upkeep::Revoked;
use crate::decide::warnings::migrated_as;
use crate::gate::Workload;
use crate::status::hold;

impl Observer {
    /// All targets of the run, as they are.
    pub(super) async fn targets(&self, run: &MigrationRun, now: Timestamp) -> Result<Vec<TargetSeen>, Error> {
        let each = run.spec.targets().iter().map(|target| self.target(run, target, now));
        futures::future::try_join_all(each).await
    }

    async fn target(&self, run: &MigrationRun, target: &Target, now: Timestamp) -> Result<TargetSeen, Error> {
        let image = target.image(&run.spec).to_owned();
        let mut seen = TargetSeen { name: target.name.clone(), image, ..TargetSeen::default() };
        let Some(found) = self.deployment(run, &target.name).await? else { return Ok(seen) };
        let workload = Workload::from(found.as_ref());
        let peers = Peers::of(&self.caches, run, &target.name);
        let required = workload.required_runs();
        seen.serving = serving(&found);
        let migrated = run.status.as_ref().and_then(|status| migrated_as(&run.spec, status, &seen.image));
        if migrated.is_some() && rests(&found) && workload.gated_images().contains(seen.image.as_str()) {
            seen.serving.running = running_as(&self.client, &found, &seen.image).await?;
        }
        seen.required = required.is_empty() || required.contains(&run.name_any().as_str());
        let successor = peers.successor(run);
        seen.successor = successor.map(ResourceExt::name_any);
        seen.released_again = successor.is_some_and(|next| releases(next, &target.name) == Some(seen.image.as_str()));
        seen.unready = self.unready(run, &seen, &required, &peers)?;
        seen.clean_with = peers.clean_with(run);
        let mut deployment = DeploymentSeen { fence: fence(found.as_ref()), workload, running: Vec::new() };
        let rolled_back = run.status.as_ref().and_then(MigrationRunStatus::rolled_back);
        if rolled_back.is_none() && needs_approval(&seen, &deployment) {
            deployment.running = self.running(&found).await?;
            // What was rolled back and could not be replaced is not approved by the way.
            let revoked = self.revoked(&found)?;
            let is_revoked = |release: &Vec<String>| revoked.iter().any(|each| release.contains(&each.image));
            deployment.running.retain(|release| release.contains(&seen.image) || !is_revoked(release));
        } else if deployment.workload.is_taken_up() && looks_back(run, &seen, rolled_back.is_some()) {
            // A plan rests on what is kept of releases alone, and what is on the list still has not begun to go.
            let begun = rolled_back.is_some() && !deployment.workload.approved().has(&seen.image);
            let freshness = if begun { Freshness::Now } else { Freshness::Ours };
            let gated = self.look(&found, now, freshness).await?;
            seen.way_back = Some(custody::way_back(&gated, &seen.image));
            seen.progress = match rolled_back.map(|_| custody::progress(&gated, &seen.image)) {
                // Two lists are no one moment: that nothing is left is believed when it is seen twice.
                Some(Progress::Done) => Some(custody::progress(&self.look(&found, now, freshness).await?, &seen.image)),
                progress => progress,
            };
        }
        seen.deployment = Some(deployment);
        Ok(seen)
    }

    /// What was rolled back on a Deployment by the runs that name it.
    pub(super) fn revoked(&self, deployment: &Deployment) -> Result<Vec<Revoked>, Error> {
        let (namespace, name) = (deployment.namespace().unwrap_or_default(), deployment.name_any());
        let mut revoked = Vec::new();
        for named in self.caches.runs_that_name(&namespace, &name) {
            let Ok(run) = &named.0 else { continue };
            if self.watermarks.is_behind(run) {
                return Err(Error::Stale(run.name_any()));
            }
            let record =
                run.status.as_ref().and_then(|status| status.rollback.as_ref()).filter(|record| !record.lifted);
            let its = record.into_iter().flat_map(|record| record.targets.iter().map(move |target| (record, target)));
            let its = its.filter(|(_, target)| target.name == name);
            revoked.extend(its.map(|(record, target)| Revoked { image: target.image.clone(), why: record.id.clone() }));
        }
        Ok(revoked)
    }

    /// Why a Deployment is held, in the words of the runs that hold it.
    pub(super) fn held_for(&self, deployment: &Deployment, workload: &Workload) -> Option<String> {
        let peers = Peers::all(&self.caches, &deployment.namespace().unwrap_or_default(), &deployment.name_any());
        peers.held_for(&deployment.name_any(), workload)
    }

    /// A Deployment. One without the label is in no cache, and that one is not there is believed from the API server alone.
    async fn deployment(&self, run: &MigrationRun, name: &str) -> Result<Option<Arc<Deployment>>, Error> {
        let namespace = run.namespace().unwrap_or_default();
        let cached = self.caches.deployments.get(&ObjectRef::new(name).within(&namespace));
        if let Some(cached) = cached {
            if self.watermarks.is_behind(cached.as_ref()) {
                return Err(Error::Stale(name.to_owned()));
            }
            return Ok(Some(cached));
        }
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &namespace);
        let found = api.get_opt(name).await.map_err(|error| Error::ReadTarget(Box::new(error), name.to_owned()))?;
        Ok(found.map(Arc::new))
    }

    /// The releases that have replicas, the newest first.
    async fn running(&self, deployment: &Deployment) -> Result<Vec<Vec<String>>, Error> {
        // What is approved already stays so anyway.
        let mut sets = self.sets(deployment, Freshness::Ours).await?;
        sets.retain(|set| set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1) > 0);
        sets.sort_by_key(|set| std::cmp::Reverse(set.metadata.creation_timestamp.as_ref().map(|time| time.0)));
        let workload = Workload::from(deployment);
        let names = workload.named_containers();
        Ok(sets.iter().map(|set| release(set, &names)).collect())
    }

    /// What the other runs that have to agree to the image lack: those that the Deployment requires; where it names none,
    /// those of other databases that name it and decide there.
    fn unready(
        &self,
        run: &MigrationRun,
        seen: &TargetSeen,
        required: &[&str],
        peers: &Peers,
    ) -> Result<Vec<String>, Error> {
        let mine = run.name_any();
        let find = |name: &str| self.caches.run(&peers.namespace, name);
        let others: Vec<(String, Option<MigrationRun>)> = if required.is_empty() {
            peers.of_other_databases(run).into_iter().map(|other| (other.name_any(), Some(other.clone()))).collect()
        } else {
            required.iter().filter(|name| **name != mine).map(|name| ((*name).to_owned(), find(name))).collect()
        };
        let mut unready = Vec::new();
        for (name, other) in others {
            let Some(other) = other else {
                unready.push(format!("run {name}, which is not there"));
                continue;
            };
            if self.watermarks.is_behind(&other) {
                return Err(Error::Stale(name));
            }
            unready.extend(lacks(&other, seen).map(|lack| format!("run {name}, which {lack}")));
        }
        Ok(unready)
    }
}

/// The other runs that name a Deployment.
#[derive(Clone, Debug)]
pub struct Peers {
    /// The namespace that they are in.
    pub namespace: String,
    /// By name, so that what is said of them is the same in every pass.
    pub runs: Vec<MigrationRun>,
}

impl Peers {
    fn of(caches: &Caches, run: &MigrationRun, deployment: &str) -> Self {
        let mut peers = Self::all(caches, &run.namespace().unwrap_or_default(), deployment);
        peers.runs.retain(|other| other.uid() != run.uid());
        peers
    }

    /// All runs that name it.
    fn all(caches: &Caches, namespace: &str, deployment: &str) -> Self {
        let named = caches.runs_that_name(namespace, deployment);
        let mut runs: Vec<MigrationRun> = named.iter().filter_map(|named| named.0.as_ref().ok()).cloned().collect();
        runs.sort_by_key(ResourceExt::name_any);
        Self { namespace: namespace.to_owned(), runs }
    }

    /// Why the Deployment is held: what each run lacks that decides there.
    fn held_for(&self, deployment: &str, workload: &Workload) -> Option<String> {
        let (required, waits) = (workload.required_runs(), workload.waits_for(&workload.approved()));
        let decides = |run: &&MigrationRun| {
            let required = required.is_empty() || required.contains(&run.name_any().as_str());
            required && self.successor(run).is_none()
        };
        let lacks = |run: &MigrationRun| match releases(run, deployment) {
            Some(image) if !waits.contains(image) => Some(format!("is for {image}, and this waits for another")),
            _ => hold::why(&run.status.clone().unwrap_or_default(), run.spec.suspended()),
        };
        let named =
            self.runs.iter().filter(decides).filter_map(|run| Some((run.metadata.name.as_deref()?, lacks(run)?)));
        let there = |name: &&str| self.runs.iter().any(|run| run.metadata.name.as_deref() == Some(name));
        let missing = required.iter().filter(|name| !there(name)).map(|name| (*name, "is not there".to_owned()));
        hold::told(&waits, named.chain(missing), self.runs.is_empty())
    }

    fn database(&self, run: &MigrationRun) -> String {
        run.spec.database_id(&self.namespace)
    }

    /// A run of the same database that has taken a release up later: of runs that are created once a release, the newest
    /// decides.
    #[must_use]
    pub fn successor(&self, run: &MigrationRun) -> Option<&MigrationRun> {
        let place = |run: &MigrationRun| {
            let release = run.status.as_ref()?.release.as_ref()?;
            Some((release.queued_at.0, run.uid()))
        };
        let (database, mine) = (self.database(run), place(run));
        let others = self.runs.iter().filter(|other| other.uid() != run.uid() && self.database(other) == database);
        others.filter(|other| place(other) > mine).max_by_key(|other| place(other))
    }

    /// Those of other databases that decide there.
    fn of_other_databases(&self, run: &MigrationRun) -> Vec<&MigrationRun> {
        let database = self.database(run);
        let others = self.runs.iter().filter(|other| self.database(other) != database);
        others.filter(|other| self.successor(other).is_none()).collect()
    }

    /// The image that the run's database was last seen clean with, whichever run has seen it.
    #[must_use]
    pub fn clean_with(&self, run: &MigrationRun) -> Option<String> {
        let database = self.database(run);
        let all = self.runs.iter().chain([run]).filter_map(|run| run.status.as_ref());
        let records = all.filter_map(|status| {
            let revoked = status.rollback.as_ref().filter(|record| !record.lifted);
            let clean = status.clean.as_ref()?;
            let goes = |record: &RollbackRecord| record.targets.iter().all(|target| target.image != clean.image);
            revoked.is_none_or(goes).then_some(clean)
        });
        let latest = records.filter(|clean| clean.database_id == database).max_by_key(|clean| clean.at.0);
        latest.map(|clean| clean.image.clone())
    }
}

/// What a run lacks to agree to the image on the Deployment; nothing where it does not hold it back.
fn lacks(run: &MigrationRun, seen: &TargetSeen) -> Option<String> {
    match releases(run, &seen.name) {
        None => Some("does not name it in spec.targets".to_owned()),
        Some(_) if !run.spec.gate_holds() => None,
        Some(image) if image != seen.image => Some(format!("is for {image}")),
        Some(_) if is_rolled_back(run) => Some("was rolled back from it".to_owned()),
        Some(_) => (!is_clean(run)).then(|| "is not clean yet".to_owned()),
    }
}

fn is_rolled_back(run: &MigrationRun) -> bool {
    run.status.as_ref().is_some_and(|status| status.rolled_back().is_some())
}

/// Whether the way back is looked at: by the run that decides, while no attempt goes on.
fn looks_back(run: &MigrationRun, seen: &TargetSeen, rolled_back: bool) -> bool {
    let decides = seen.required && seen.successor.is_none();
    let rests = |status: &MigrationRunStatus| status.release.is_some() && status.active_attempt().is_none();
    (decides || rolled_back) && run.status.as_ref().is_some_and(rests)
}

/// The image that a run releases on a Deployment.
fn releases<'a>(run: &'a MigrationRun, deployment: &str) -> Option<&'a str> {
    let target = run.spec.targets().iter().find(|target| target.name == deployment)?;
    Some(target.image(&run.spec))
}

/// Whether a run is clean with what its spec says now.
fn is_clean(run: &MigrationRun) -> bool {
    let namespace = run.namespace().unwrap_or_default();
    let inputs = crate::api::release::inputs_digest(&run.spec, &namespace);
    let clean = |status: &MigrationRunStatus| {
        status.is_clean() && status.release.as_ref().is_some_and(|release| release.inputs == inputs)
    };
    run.status.as_ref().is_some_and(clean)
}

/// What the Deployment selects; none where that cannot be read, which the API server refuses.
pub(super) fn selector(deployment: &Deployment) -> Option<Selector> {
    deployment.spec.as_ref()?.selector.clone().try_into().ok()
}

/// Whether `owner` is among the owners of `object`.
pub(super) fn is_owned<K: Resource, O: Resource>(object: &K, owner: &O) -> bool {
    object.owner_references().iter().any(|reference| Some(&reference.uid) == owner.meta().uid.as_ref())
}

/// The images of a ReplicaSet's gated containers: by the names that the Deployment had when the Deployment controller copied its
/// annotations there, else by those that it has now.
pub(super) fn release(set: &ReplicaSet, names: &[&str]) -> Vec<String> {
    let mut workload = Workload::from(set);
    let copied = [labels::APPROVED_IMAGES, labels::CONTAINERS].iter().any(|key| set.annotations().contains_key(*key));
    if !copied {
        workload.annotations = BTreeMap::from([(labels::CONTAINERS.to_owned(), names.join(","))]);
    }
    workload.gated_images().into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A run of a database with a release that was taken up in this second and, where it says so, is clean.
    fn run(name: &str, database: &str, image: &str, taken_up: i64, clean: bool) -> MigrationRun {
        let at = jiff::Timestamp::from_second(taken_up).unwrap().to_string();
        let clean = clean.then(|| json!({ "image": image, "databaseId": database, "digest": "d", "at": at }));
        serde_json::from_value(json!({
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "MigrationRun",
            "metadata": { "name": name, "namespace": "a", "uid": name },
            "spec": { "image": image, "database": { "id": database }, "targets": [{ "kind": "Deployment", "name": "shop" }] },
            "status": { "observedGeneration": 1, "clean": clean, "release": {
                "image": image, "databaseId": database, "digest": "d", "inputs": "", "generation": 1, "queuedAt": at } },
        }))
        .unwrap()
    }

    fn peers(runs: &[MigrationRun]) -> Peers {
        Peers { namespace: "a".into(), runs: runs.to_vec() }
    }

    fn names<'a>(runs: impl IntoIterator<Item = &'a MigrationRun>) -> Vec<String> {
        runs.into_iter().map(ResourceExt::name_any).collect()
    }

    #[test]
    fn of_runs_of_one_database_that_which_took_a_release_up_last_decides() {
        let (long, fix) = (run("shop", "db", "shop:3", 30, false), run("hotfix", "db", "shop:2", 20, true));
        assert_eq!(names(peers(std::slice::from_ref(&long)).successor(&fix)), ["shop"]);
        assert!(peers(std::slice::from_ref(&fix)).successor(&long).is_none());
        let mut not_yet = run("next", "db", "shop:4", 40, false);
        not_yet.status = None;
        assert!(peers(&[not_yet]).successor(&long).is_none(), "it has taken nothing up");
    }

    #[test]
    fn of_other_databases_only_those_that_decide_are_waited_for() {
        let all = [
            run("a-1", "a", "shop:1", 10, true),
            run("a-2", "a", "shop:2", 20, false),
            run("b-1", "b", "shop:1", 10, true),
            run("b-2", "b", "shop:2", 20, false),
        ];
        assert_eq!(names(peers(&all).of_other_databases(&all[1])), ["b-2"]);
    }

    #[test]
    fn what_a_database_was_last_clean_with_is_known_from_whichever_run_has_seen_it() {
        let new = run("a-2", "a", "shop:2", 20, false);
        let others = [
            run("a-0", "a", "shop:0", 5, true),
            run("a-1", "a", "shop:1", 10, true),
            run("b-1", "b", "shop:9", 15, true),
        ];
        assert_eq!(peers(&others).clean_with(&new).as_deref(), Some("shop:1"));
        assert_eq!(peers(&[]).clean_with(&new), None);
    }

    #[test]
    fn a_held_deployment_is_told_which_runs_hold_it_and_why() {
        let workload = |required: &str| {
            Workload::read(&json!({
                "metadata": { "name": "shop", "labels": { "sluice.dev/gated": "true" }, "annotations": {
                    "sluice.dev/approved-images": "shop:1", "sluice.dev/held-by": "admission",
                    "sluice.dev/required-runs": required } },
                "spec": { "template": { "spec": { "containers": [{ "name": "app", "image": "shop:2" }] } } },
            }))
        };
        let failed = |name: &str, database: &str| {
            let mut failed = run(name, database, "shop:2", 20, false);
            let status = failed.status.as_mut().unwrap();
            status.failure = serde_json::from_value(json!({ "class": "DataConflict", "reason": "UniqueViolation",
                "migration": "20260302_sku", "message": "Rows are in the way.", "retryable": false, "step": "Migrate",
                "attempt": 1, "confidence": "High" }))
            .ok();
            failed
        };
        let why = "DataConflict/UniqueViolation in migration 20260302_sku. Rows are in the way. A retry is asked for by \
                   the annotation sluice.dev/retry with a new token.";
        let told = |runs: &[MigrationRun], required: &str| peers(runs).held_for("shop", &workload(required));
        let says = |text: String| Some(format!("shop:2 is not let go. {text}"));
        assert_eq!(told(&[failed("a", "a")], ""), says(format!("MigrationRun a: {why}")));
        assert_eq!(
            told(&[run("a", "a", "shop:2", 20, false)], ""),
            says("MigrationRun a: the database is not clean with it yet".into())
        );
        let both = [failed("a", "a"), run("b", "b", "shop:1", 10, true)];
        let other = "MigrationRun b: is for shop:1, and this waits for another";
        assert_eq!(told(&both, ""), says(format!("MigrationRun a: {why}; {other}")));
        assert_eq!(told(&both, "b, c"), says(format!("{other}; MigrationRun c: is not there")));
        let older = [run("a-1", "a", "shop:1", 10, true), failed("a-2", "a")];
        assert_eq!(told(&older, ""), says(format!("MigrationRun a-2: {why}")), "the one that took over decides");
        assert_eq!(told(&[run("a", "a", "shop:2", 20, true)], ""), None, "it is about to be let go");
        assert_eq!(told(&[], ""), says("No MigrationRun names this Deployment in spec.targets".into()));
    }

    #[test]
    fn a_replica_set_is_read_by_the_names_that_it_carries() {
        let set = |annotations: serde_json::Value| -> ReplicaSet {
            serde_json::from_value(json!({
                "metadata": { "name": "shop-1", "annotations": annotations },
                "spec": { "selector": {}, "template": { "spec": { "containers": [
                    { "name": "app", "image": "shop:1" }, { "name": "log", "image": "log:1" } ] } } },
            }))
            .unwrap()
        };
        let of = |annotations: serde_json::Value| release(&set(annotations), &["api"]);
        assert_eq!(of(json!({ "sluice.dev/containers": "app" })), ["shop:1"]);
        assert_eq!(of(json!({ "sluice.dev/approved-images": "shop:1" })), ["log:1", "shop:1"]);
        assert_eq!(of(json!({})), [""; 0], "by the Deployment's names, where it carries none");
    }
}
