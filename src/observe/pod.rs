//! What a pod's status says of our container: waiting for what, running since when, ended how.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodStatus};
use kube::ResourceExt;

use super::finished;
use crate::classify::{Ending, Reason, Step};
use crate::decide::observed::Trouble;

/// Our container, before its log is read.
#[derive(Debug)]
pub enum Seen {
    /// It has not started.
    Waiting(Option<Trouble>),
    /// It runs.
    Running(Option<Timestamp>),
    /// It has ended.
    Ended(Box<Terminated>),
}

/// A container that has ended, in Kubernetes' words.
#[derive(Debug)]
pub struct Terminated {
    /// Its pod.
    pub pod: String,
    /// Its name.
    pub container: String,
    /// The other containers of the pod that have begun, whose logs may say more.
    pub others: Vec<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What it exited with.
    pub exit_code: Option<i32>,
    /// What its image was, as the kubelet knows it.
    pub image_id: Option<String>,
    /// How it ended, for the classifier.
    pub ending: Ending,
    /// Set where it never came to run its command.
    pub not_started: Option<Trouble>,
    /// The last 2 KiB of its log, kept by the kubelet.
    pub termination_message: Option<String>,
}

/// Our container in the pod of `job`.
#[must_use]
pub fn container(pod: Option<&Pod>, job: &Job, step: Step, no_pod: Option<Trouble>) -> Seen {
    let Some(pod) = pod else { return Seen::Waiting(no_pod) };
    let Some(status) = &pod.status else { return Seen::Waiting(None) };
    let name = match step {
        Step::Migrate => "migrate",
        Step::Check => "check",
    };
    let ours = status.container_statuses.iter().flatten().find(|container| container.name == name);
    let state = ours.and_then(|container| container.state.as_ref());
    match state {
        Some(ContainerState { terminated: Some(end), .. }) if given_up(job) && never_ran(end) => Seen::Waiting(None),
        Some(ContainerState { terminated: Some(end), .. }) => {
            Seen::Ended(Box::new(terminated(pod, status, job, name, end)))
        }
        Some(ContainerState { running: Some(running), .. }) => {
            Seen::Running(running.started_at.as_ref().map(|time| time.0))
        }
        _ => match failed_before(status) {
            Some(trouble) => Seen::Ended(Box::new(not_started(pod, name, trouble))),
            None => Seen::Waiting(trouble(status)),
        },
    }
}

/// A pod that failed by one of its init containers never came to the step.
fn failed_before(status: &PodStatus) -> Option<Trouble> {
    if status.phase.as_deref() != Some("Failed") {
        return None;
    }
    status.init_container_statuses.iter().flatten().find_map(|container| {
        let end = container.state.as_ref()?.terminated.as_ref().filter(|end| end.exit_code != 0)?;
        let message = format!("init container {} exited with {}", container.name, end.exit_code);
        Some(Trouble { reason: Reason::INIT_FAILED, message })
    })
}

fn not_started(pod: &Pod, container: &str, trouble: Trouble) -> Terminated {
    Terminated {
        pod: pod.name_any(),
        container: container.to_owned(),
        others: Vec::new(),
        started_at: None,
        ended_at: None,
        exit_code: None,
        image_id: None,
        ending: Ending::Unknown,
        not_started: Some(trouble),
        termination_message: None,
    }
}

/// Whether the step's container runs or may yet: also in a pod that is being deleted, and in one whose Job is gone.
#[must_use]
pub fn may_run(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let over = ["Succeeded", "Failed"].contains(&status.and_then(|status| status.phase.as_deref()).unwrap_or_default());
    let containers = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    let mut steps = containers.filter(|container| ["migrate", "check"].contains(&container.name.as_str()));
    let ended = |container: &ContainerStatus| container.state.as_ref().is_some_and(|state| state.terminated.is_some());
    !over && !steps.any(ended)
}

/// The Job was given up at the start deadline, by a deadline that no spec can ask for.
pub fn given_up(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.active_deadline_seconds) == Some(1)
}

/// Whether regular containers besides the step's still run; sidecars among the init containers end by themselves.
#[must_use]
pub fn others_run(pod: &Pod) -> bool {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    let mut states = containers.map(|container| (container.name.as_str(), container.state.as_ref()));
    states.any(|(name, state)| {
        !["migrate", "check"].contains(&name) && state.is_some_and(|state| state.running.is_some())
    })
}

/// What the kubelet says of a container that it did not find when it took the pod away: an end without a beginning.
fn never_ran(end: &ContainerStateTerminated) -> bool {
    end.reason.as_deref() == Some("ContainerStatusUnknown") && end.started_at.is_none()
}

fn terminated(pod: &Pod, status: &PodStatus, job: &Job, container: &str, end: &ContainerStateTerminated) -> Terminated {
    let reason = end.reason.as_deref().unwrap_or_default();
    let not_started = ["StartError", "ContainerCannotRun"].contains(&reason).then(|| Trouble {
        reason: Reason::COMMAND_NOT_FOUND,
        message: crate::classify::redact::evidence(vec![end.message.clone().unwrap_or_default()]).join(" "),
    });
    Terminated {
        pod: pod.name_any(),
        container: container.to_owned(),
        others: others(status, container),
        started_at: end.started_at.as_ref().map(|time| time.0),
        ended_at: end.finished_at.as_ref().map(|time| time.0),
        exit_code: Some(end.exit_code),
        image_id: image_id(status, container),
        ending: ending(pod, status, job, end),
        not_started,
        termination_message: end.message.clone(),
    }
}

/// What the image of a container is for the kubelet.
pub(super) fn image_id(status: &PodStatus, container: &str) -> Option<String> {
    let found = status.container_statuses.iter().flatten().find(|found| found.name == container)?;
    Some(found.image_id.clone()).filter(|id| !id.is_empty())
}

/// Sidecars and init containers that have begun; those that wait have no log.
fn others(status: &PodStatus, container: &str) -> Vec<String> {
    let all = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    let begun = |state: &ContainerState| state.running.is_some() || state.terminated.is_some();
    let others = all.filter(|other| other.name != container && other.state.as_ref().is_some_and(begun));
    others.map(|other| other.name.clone()).collect()
}

/// Exit code and states come before any text.
fn ending(pod: &Pod, status: &PodStatus, job: &Job, end: &ContainerStateTerminated) -> Ending {
    let by_signal = end.signal.is_some_and(|signal| signal != 0) || [137, 143].contains(&end.exit_code);
    match (end.reason.as_deref(), status.reason.as_deref()) {
        _ if end.exit_code == 0 => Ending::Exited(0),
        (Some("OOMKilled"), _) => Ending::OomKilled,
        (Some("ContainerStatusUnknown"), _) => Ending::Unknown,
        (_, Some("Evicted" | "Preempting")) => Ending::Evicted,
        (_, Some("NodeLost")) => Ending::NodeLost,
        _ if by_signal && deadline(job, status) => Ending::DeadlineExceeded,
        _ if by_signal && pod.metadata.deletion_timestamp.is_some() => Ending::Deleted,
        _ if by_signal => {
            Ending::Signalled(end.signal.filter(|signal| *signal != 0).unwrap_or(end.exit_code.saturating_sub(128)))
        }
        _ => Ending::Exited(end.exit_code),
    }
}

fn deadline(job: &Job, status: &PodStatus) -> bool {
    let failing = job.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    status.reason.as_deref() == Some("DeadlineExceeded")
        || finished(job).flatten().as_deref() == Some("DeadlineExceeded")
        || failing.into_iter().any(|condition| condition.reason.as_deref() == Some("DeadlineExceeded"))
}

/// What a pod cannot start for, if anything is known.
fn trouble(status: &PodStatus) -> Option<Trouble> {
    let waiting = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    waiting.filter_map(of_container).next().or_else(|| unschedulable(status)).map(|trouble| Trouble {
        message: crate::classify::redact::evidence(vec![trouble.message]).join(" "),
        ..trouble
    })
}

fn of_container(container: &ContainerStatus) -> Option<Trouble> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let message = waiting.message.clone().unwrap_or_default();
    let reason = match waiting.reason.as_deref()? {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable" => Reason::IMAGE_PULL,
        "CreateContainerConfigError" if message.contains("not found") || message.contains("couldn't find key") => {
            Reason::SECRET_MISSING
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Reason::START_DEADLINE,
        _ => return None,
    };
    Some(Trouble { reason, message: format!("container {}: {message}", container.name) })
}

fn unschedulable(status: &PodStatus) -> Option<Trouble> {
    let condition = status.conditions.iter().flatten().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    Some(Trouble { reason: Reason::UNSCHEDULABLE, message: condition.message.clone().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(container: serde_json::Value) -> Pod {
        serde_json::from_value(json!({ "metadata": { "name": "p" }, "status": { "containerStatuses": [container] } }))
            .unwrap()
    }

    fn waiting(reason: &str, message: &str) -> Seen {
        let status = json!({ "name": "migrate", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": reason, "message": message } } });
        container(Some(&pod(status)), &Job::default(), Step::Migrate, None)
    }

    fn ended(terminated: serde_json::Value) -> Terminated {
        let status = json!({ "name": "migrate", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": terminated } });
        match container(Some(&pod(status)), &Job::default(), Step::Migrate, None) {
            Seen::Ended(ended) => *ended,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_pod_waits_for_is_named() {
        let table = [
            ("CreateContainerConfigError", "secret \"shop-db\" not found", Some(Reason::SECRET_MISSING)),
            ("CreateContainerConfigError", "couldn't find key URL in Secret a/shop-db", Some(Reason::SECRET_MISSING)),
            ("ImagePullBackOff", "Back-off pulling image", Some(Reason::IMAGE_PULL)),
            ("ContainerCreating", "", None),
        ];
        for (reason, message, wanted) in table {
            let Seen::Waiting(trouble) = waiting(reason, message) else { panic!("{reason}") };
            assert_eq!(trouble.map(|trouble| trouble.reason), wanted, "{reason}");
        }
    }

    #[test]
    fn a_failed_init_container_is_no_migration_that_was_killed() {
        let pod: Pod = serde_json::from_value(json!({ "metadata": { "name": "p" }, "status": { "phase": "Failed",
            "initContainerStatuses": [{ "name": "wait", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "terminated": { "exitCode": 3 } } }],
            "containerStatuses": [{ "name": "migrate", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": { "waiting": { "reason": "PodInitializing" } } }] } }))
        .unwrap();
        let Seen::Ended(ended) = container(Some(&pod), &Job::default(), Step::Migrate, None) else { panic!() };
        let trouble = ended.not_started.unwrap();
        assert_eq!(trouble.reason, Reason::INIT_FAILED);
        assert!(trouble.message.contains("wait exited with 3"));
    }

    #[test]
    fn an_end_without_a_beginning_proves_no_run_only_where_the_start_was_given_up() {
        let status = json!({ "name": "migrate", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": 137, "reason": "ContainerStatusUnknown" } } });
        let job = |deadline: i64| {
            serde_json::from_value(json!({ "spec": { "activeDeadlineSeconds": deadline, "template": {} } })).unwrap()
        };
        let seen = |deadline| container(Some(&pod(status.clone())), &job(deadline), Step::Migrate, None);
        assert!(matches!(seen(1), Seen::Waiting(None)));
        assert!(matches!(seen(600), Seen::Ended(_)));
    }

    #[test]
    fn how_a_container_ended_comes_from_its_state() {
        assert_eq!(ended(json!({ "exitCode": 137, "reason": "OOMKilled" })).ending, Ending::OomKilled);
        assert_eq!(ended(json!({ "exitCode": 137, "reason": "Error" })).ending, Ending::Signalled(9));
        assert_eq!(ended(json!({ "exitCode": 0, "reason": "Completed" })).ending, Ending::Exited(0));
        assert_eq!(ended(json!({ "exitCode": 1, "reason": "Error" })).ending, Ending::Exited(1));
        assert!(
            ended(json!({ "exitCode": 128, "reason": "StartError", "message": "exec: npx: not found" }))
                .not_started
                .is_some()
        );
    }

    #[test]
    fn no_pod_waits_for_what_the_job_controller_says() {
        let trouble = Trouble { reason: Reason::QUOTA_EXCEEDED, message: "m".into() };
        let seen = container(None, &Job::default(), Step::Migrate, Some(trouble.clone()));
        assert!(matches!(seen, Seen::Waiting(Some(named)) if named == trouble));
    }
}
