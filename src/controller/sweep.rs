//! Every hour: what is kept, or in custody, of Deployments that are gone or whose gate has come off.

use std::sync::Arc;
use std::time::Duration;

use super::{Error, Operator};
use crate::decide::sweep::{abandoned, sweep};

/// How often.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Looks at all that is kept, now and every hour, until `shutdown`.
pub async fn run(operator: Arc<Operator>, shutdown: impl Future<Output = ()>) {
    let mut hours = tokio::time::interval(EVERY);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            _ = hours.tick() => {}
        }
        if let Err(error) = pass(&operator).await {
            operator.settings.metrics.reconcile_failed(error.name());
            tracing::warn!(%error, "failed to look at what is kept of releases; looking again in an hour");
        }
    }
}

async fn pass(operator: &Operator) -> Result<(), Error> {
    let now = operator.settings.clock.now();
    let mut failed = Ok(());
    let (kept, custody) = futures::try_join!(operator.observer.kept(), operator.observer.abandoned())?;
    let kept = kept.into_iter().filter_map(|(namespace, kept)| Some((namespace, sweep(&kept, now)?)));
    let custody = custody.into_iter().filter_map(|(namespace, set)| Some((namespace, abandoned(&set)?)));
    for (namespace, write) in kept.chain(custody) {
        tracing::info!(effect = write.name(), namespace, "applying");
        // What has changed meanwhile is seen at the next look.
        match operator.applier.sweep(&namespace, &write).await.map_err(Error::from) {
            Err(error) if !error.is_ordinary() => failed = Err(error),
            _ => {}
        }
    }
    failed
}
