//! The log of a container that has ended, streamed into the classifier.

use std::time::Duration;

use futures::AsyncReadExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use kube::{Api, Client};

use super::pod::Terminated;
use crate::classify::{Classifier, Confidence, Step, Tool, Verdict};

/// How long a log may take in all: what was read until then is judged.
const LIMIT: Duration = Duration::from_secs(60);

/// The verdict, and whether the log was read to its end. Whatever is wrong with the log, there is a verdict, from what is
/// left: at worst from the exit code and the message that the kubelet keeps.
pub async fn read(client: &Client, namespace: &str, tool: Tool, step: Step, ended: &Terminated) -> (Verdict, bool) {
    if let Some(trouble) = &ended.not_started {
        return (Verdict::failed(trouble.reason.clone(), Confidence::High, vec![trouble.message.clone()]), true);
    }
    let mut classifier = Classifier::new(tool, step);
    let complete = tokio::time::timeout(LIMIT, stream(client, namespace, ended, &mut classifier)).await;
    match complete {
        Ok(Ok(bytes)) if bytes > 0 => (classifier.finish(ended.ending), true),
        Ok(_) | Err(_) => {
            // A stream that broke off may end in the middle of anything, and a log that is gone reads as empty: the
            // kubelet's own excerpt is whole lines.
            let mut classifier = Classifier::new(tool, step);
            classifier.push(ended.termination_message.as_deref().unwrap_or_default().as_bytes());
            (classifier.finish(ended.ending), false)
        }
    }
}

async fn stream(
    client: &Client,
    namespace: &str,
    ended: &Terminated,
    classifier: &mut Classifier,
) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = LogParams { container: Some(ended.container.clone()), ..LogParams::default() };
    let mut log = std::pin::pin!(api.log_stream(&ended.pod, &params).await?);
    let mut chunk = vec![0_u8; 64 * 1024];
    let mut bytes = 0_u64;
    loop {
        let read = log.read(&mut chunk).await?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        classifier.push(chunk.get(..read).unwrap_or_default());
    }
}
