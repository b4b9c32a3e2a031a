//! `kubectl sluice gate`: whether a Deployment is held, by whom, and each of its releases.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::ResourceExt;

use super::style::{Style, Tone, wrap};
use super::{short, table};
use crate::api::labels;
use crate::api::status::{Enforcement, TargetStatus};
use crate::gate::{BY_ADMISSION_AND_USER, Workload};

/// A ReplicaSet as the gate sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// The release: the short names of its gated images.
    pub release: String,
    /// How it is to be taken.
    pub tone: Tone,
    /// Pods that are available, of those wanted.
    pub pods: String,
    /// Whether its release is approved, or what it waits for.
    pub remark: String,
}

/// The ReplicaSets of a Deployment, the newest first; those in custody too.
pub fn sets(deployment: &Deployment, all: &[ReplicaSet]) -> Vec<Set> {
    let uid = deployment.uid();
    let of = |set: &&ReplicaSet| set.owner_references().iter().any(|owner| Some(&owner.uid) == uid.as_ref());
    let mut own: Vec<&ReplicaSet> = all.iter().filter(of).collect();
    own.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    own.into_iter().map(|set| seen(deployment, set)).collect()
}

fn revision(set: &ReplicaSet) -> i64 {
    let text = set.annotations().get("deployment.kubernetes.io/revision");
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn seen(deployment: &Deployment, set: &ReplicaSet) -> Set {
    let gate = Workload::from(deployment);
    let named = gate.annotations.get(labels::CONTAINERS).cloned();
    let mut workload = Workload::from(set);
    // Which containers carry the release is the Deployment's to say.
    match named {
        Some(named) => workload.annotations.insert(labels::CONTAINERS.to_owned(), named),
        None => workload.annotations.remove(labels::CONTAINERS),
    };
    let approved = gate.approved();
    let waits = workload.waits_for(&approved);
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default();
    let available = set.status.as_ref().and_then(|status| status.available_replicas).unwrap_or_default();
    let (tone, remark) = match () {
        () if set.labels().contains_key(labels::CUSTODY) => (Tone::Bad, "rolled back, its pods are being replaced"),
        () if !gate.is_taken_up() => (Tone::Plain, "not gated"),
        () if !waits.is_empty() => (Tone::Waiting, "not approved"),
        () if wanted > available => (Tone::Going, "approved"),
        () if wanted == 0 => (Tone::Plain, "approved"),
        () => (Tone::Good, "approved"),
    };
    let release: Vec<String> = workload.gated_images().into_iter().map(short).collect();
    Set {
        name: set.name_any(),
        release: release.join(","),
        tone,
        pods: format!("{available}/{wanted}"),
        remark: remark.to_owned(),
    }
}

/// What is asked of a run about its target.
#[derive(Debug)]
pub struct Word {
    /// The run.
    pub run: String,
    /// How the cluster enforces the gate, as the run knows it.
    pub enforcement: Option<Enforcement>,
    /// What it says of this Deployment.
    pub target: TargetStatus,
}

/// The page.
pub fn page(deployment: &Deployment, all: &[ReplicaSet], words: &[Word], flags: &str, style: Style) -> String {
    let gate = Workload::from(deployment);
    let name = deployment.name_any();
    let mut out = format!("Deployment  {name}\n");
    let (tone, state) = state(&gate);
    out.push_str(&format!("Gate        {}\n", style.marked(tone, &state)));
    let how = words.iter().find_map(|word| word.enforcement);
    if let Some(how) = how.filter(|_| gate.is_gated()) {
        out.push_str(&format!(
            "Enforced    by {how:?}{}\n",
            if how == Enforcement::Reactive { ", which can be late" } else { "" }
        ));
    }
    for word in words {
        let said = word.target.message.clone().unwrap_or_else(|| "nothing is left to do".to_owned());
        let lines = wrap(&format!("run {}, {:?}: {said}", word.run, word.target.state), 68);
        for (place, line) in lines.iter().enumerate() {
            out.push_str(&format!("{:<12}{line}\n", if place == 0 { "Says" } else { "" }));
        }
    }
    for image in gate.bypassed() {
        out.push_str(&format!("Bypassed    {image}: a person lets it go, whatever its database is\n"));
    }
    if gate.is_held() {
        let run = words.first().map_or("RUN", |word| word.run.as_str());
        out.push_str(&format!("Next        kubectl sluice status {run}{flags}\n"));
    }
    let rows: Vec<Vec<String>> = sets(deployment, all)
        .into_iter()
        .map(|set| vec![set.name, set.release, set.pods, format!("{} {}", set.tone.mark(), set.remark)])
        .collect();
    format!("{out}\n{}", table::render(&["REPLICASET", "RELEASE", "PODS", "STATE"], &rows))
}

fn state(gate: &Workload) -> (Tone, String) {
    let waits: Vec<String> = gate.waits_for(&gate.approved()).into_iter().map(short).collect();
    match () {
        () if !gate.is_gated() => (Tone::Plain, format!("none: the label {}=true puts one before it", labels::GATED)),
        () if gate.is_held() => {
            let too = gate.annotations.get(labels::HELD_BY).is_some_and(|by| by == BY_ADMISSION_AND_USER);
            let besides = if too { "; a person has paused it as well" } else { "" };
            (Tone::Waiting, format!("held: {} waits for its database{besides}", waits.join(", ")))
        }
        () if gate.paused => (Tone::Waiting, "open; a person has paused the Deployment".to_owned()),
        () if !waits.is_empty() => (Tone::Bad, format!("not closed, though {} is not approved", waits.join(", "))),
        () => (Tone::Good, "open".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{screenshot, tree::held};
    use super::*;

    #[test]
    fn what_is_held_is_told_with_what_serves() {
        let (deployment, all) = held();
        let target = serde_json::json!({ "kind": "Deployment", "name": "web", "image": "ghcr.io/acme/shop:1.2", "state": "Held",
            "settled": false, "message": "held until the database is clean", "since": "2026-03-01T02:00:00Z" });
        let word = Word {
            run: "shop".into(),
            enforcement: Some(Enforcement::AdmissionPolicy),
            target: serde_json::from_value(target).unwrap(),
        };
        let words = [word];
        insta::assert_snapshot!(page(&deployment, &all, &words, "", Style::default()));
        let coloured = page(&deployment, &all, &words, "", Style { colour: true });
        screenshot::check("gate.svg", "kubectl sluice gate web", &coloured);
    }

    #[test]
    fn one_without_a_gate_says_how_to_get_one() {
        let (mut deployment, all) = held();
        deployment.metadata.labels = None;
        let page = page(&deployment, &all, &[], "", Style::default());
        assert!(page.contains("none: the label sluice.dev/gated=true puts one before it"), "{page}");
        assert!(page.contains("not gated") && !page.contains("Enforced"), "{page}");
    }
}
