//! The log of a container that has ended, streamed into the classifier.

use std::sync::Arc;
use std::time::Duration;

use futures::AsyncReadExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};

use super::pod::Terminated;
use crate::classify::{Class, Classifier, Confidence, Ending, Outcome, OwnRules, Reason, Step, Tool, Verdict, redact};

/// How long a log may take in all: what was read until then is judged.
const LIMIT: Duration = Duration::from_secs(60);
/// How much of another container's log is read, and how long that may take.
const OTHERS_BYTES: i64 = 1024 * 1024;
const OTHERS_LIMIT: Duration = Duration::from_secs(10);

/// By what a log is read.
#[derive(Clone)]
pub struct Reading {
    /// The tool that wrote it.
    pub tool: Tool,
    /// The step.
    pub step: Step,
    /// The user's own rules, if there are any.
    pub own: Option<Arc<OwnRules>>,
}

impl Reading {
    fn classifier(&self) -> Classifier {
        let classifier = Classifier::new(self.tool, self.step);
        match &self.own {
            Some(own) => classifier.with_rules(own.clone()),
            None => classifier,
        }
    }
}

/// The verdict, and whether the log was read to its end. Whatever is wrong with the log, there is a verdict, from what is
/// left: at worst from the exit code and the message that the kubelet keeps.
pub async fn read(client: &Client, namespace: &str, reading: &Reading, ended: &Terminated) -> (Verdict, bool) {
    if let Some(trouble) = &ended.not_started {
        return (Verdict::failed(trouble.reason.clone(), Confidence::High, vec![trouble.message.clone()]), true);
    }
    let logs = Logs { client, namespace, pod: &ended.pod };
    let (mut classifier, mut bytes) = (reading.classifier(), 0);
    let whole = LogParams { container: Some(ended.container.clone()), ..LogParams::default() };
    let streamed = tokio::time::timeout(LIMIT, logs.stream(&whole, &mut classifier, &mut bytes)).await;
    let complete = bytes > 0 && matches!(streamed, Ok(Ok(())));
    let verdict =
        if complete { classifier.finish(ended.ending) } else { from_what_is_left(reading, ended, classifier) };
    (with_others(&logs, reading, ended, verdict).await, complete)
}

/// A stream that broke off may end in the middle of anything, and a log that is gone reads as empty: the kubelet's own
/// excerpt is whole lines. Where there is none, a failure may be read from what came before the stream broke off; a success
/// never.
fn from_what_is_left(reading: &Reading, ended: &Terminated, partial: Classifier) -> Verdict {
    let mut excerpt = reading.classifier();
    excerpt.push(ended.termination_message.as_deref().unwrap_or_default().as_bytes());
    let excerpt = excerpt.finish(ended.ending);
    let partial = partial.finish(ended.ending);
    let knows = |verdict: &Verdict| verdict.class.is_some_and(|class| class != Class::Unknown);
    if !knows(&excerpt) && excerpt.outcome == Outcome::Failed && partial.outcome == Outcome::Failed && knows(&partial) {
        return Verdict { confidence: Confidence::Low, retryable: false, ..partial };
    }
    excerpt
}

/// Where the step's own log does not say why it failed, another container's may: a proxy that lost the database. It is a
/// hint, and nothing is tried again for it.
async fn with_others(logs: &Logs<'_>, reading: &Reading, ended: &Terminated, verdict: Verdict) -> Verdict {
    if verdict.outcome != Outcome::Failed || verdict.class != Some(Class::Unknown) {
        return verdict;
    }
    for container in &ended.others {
        let (mut classifier, mut bytes) = (reading.classifier(), 0);
        let params =
            LogParams { container: Some(container.clone()), limit_bytes: Some(OTHERS_BYTES), ..LogParams::default() };
        let _ = tokio::time::timeout(OTHERS_LIMIT, logs.stream(&params, &mut classifier, &mut bytes)).await;
        let said = classifier.finish(Ending::NotGiven);
        let surroundings = matches!(said.class, Some(Class::Connectivity | Class::Permission | Class::Config));
        // What a rule of the user's own names it may name of any container.
        let by_rule = said.reason.as_ref().is_some_and(Reason::is_custom);
        if said.outcome == Outcome::Failed && (surroundings || by_rule) {
            let evidence = redact::evidence(said.evidence.into_iter().map(|line| format!("{container}: {line}")));
            return Verdict { confidence: Confidence::Low, retryable: false, migration: None, evidence, ..said };
        }
    }
    verdict
}

/// The logs of a pod.
struct Logs<'a> {
    client: &'a Client,
    namespace: &'a str,
    pod: &'a str,
}

impl Logs<'_> {
    /// Reads a log to its end and counts what came, so that a caller who stops waiting knows what there is.
    async fn stream(
        &self,
        params: &LogParams,
        classifier: &mut Classifier,
        bytes: &mut u64,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        let mut log = std::pin::pin!(api.log_stream(self.pod, params).await?);
        let mut chunk = vec![0_u8; 64 * 1024];
        loop {
            let read = log.read(&mut chunk).await?;
            if read == 0 {
                return Ok(());
            }
            *bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            classifier.push(chunk.get(..read).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests;
