//! Keys of the labels and annotations that Sluice writes or obeys; each key stands here only.

/// Says which tool manages an object; on everything that Sluice creates. A recommended label of Kubernetes.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`MANAGED_BY`].
pub const MANAGED_BY_SLUICE: &str = "sluice";
/// Name of the run that an object belongs to (shortened to the 63 characters of a label value). On a database's Lease an
/// annotation: its holder, as `NAMESPACE/NAME`.
pub const RUN: &str = "sluice.dev/run";
/// UID of that run: names are used again, UIDs are not.
pub const RUN_UID: &str = "sluice.dev/run-uid";
/// Digest of the `database.id` that a Job works on; what "one at a time per database" is judged by.
pub const DATABASE: &str = "sluice.dev/database";
/// On a database's Lease, the operator's: the `database.id` itself, for people.
pub const DATABASE_ID: &str = "sluice.dev/database-id";
/// `migrate` or `check`.
pub const STEP: &str = "sluice.dev/step";
/// Number of the attempt within its generation, counted from 1.
pub const ATTEMPT: &str = "sluice.dev/attempt";
/// Generation of the run in which the release was taken up.
pub const GENERATION: &str = "sluice.dev/generation";

/// A person's wish to try again. Each value is a token that is taken once.
pub const RETRY: &str = "sluice.dev/retry";
/// On a Job or its pod: lets it be deleted while a migration runs.
pub const FORCE_DELETE: &str = "sluice.dev/force-delete";

/// Label of a Deployment whose new releases wait for their databases. Its one value is `true`; it counts by being there.
pub const GATED: &str = "sluice.dev/gated";
/// On a gated Deployment, the user's: names of the containers that carry the release, with commas between them. Absent or
/// empty: all that serve.
pub const CONTAINERS: &str = "sluice.dev/containers";
/// On a gated Deployment, the user's: names of the runs that must all be clean, with commas between them.
pub const REQUIRED_RUNS: &str = "sluice.dev/required-runs";
/// On a gated Deployment, the operator's, and copied to its ReplicaSets: the approved images, one a line.
pub const APPROVED_IMAGES: &str = "sluice.dev/approved-images";
/// On a gated Deployment, the admission's: there while it is held. `admission`, or `admission+user` where a person had paused
/// it before.
pub const HELD_BY: &str = "sluice.dev/held-by";
/// On a gated Deployment, the operator's: while it is held, which runs hold it and why, for whoever sees the Deployment alone.
pub const HELD_FOR: &str = "sluice.dev/held-for";
/// On a gated Deployment, a person's: lets an image go that is not approved, as `IMAGE REASON`, one a line.
pub const BYPASS: &str = "sluice.dev/bypass";
/// Label of what is kept of a gated Deployment's releases, and annotation there; the value is the Deployment, which a label
/// shortens.
pub const DEPLOYMENT: &str = "sluice.dev/deployment";

/// A person's wish to go back from this run's release to the one before. Each value is a token that is taken once.
pub const ROLLBACK: &str = "sluice.dev/rollback";
/// The Deployment controller's, on a ReplicaSet: what it takes to be complete.
pub const DESIRED_REPLICAS: &str = "deployment.kubernetes.io/desired-replicas";
/// Label of a ReplicaSet in custody: one of a release that was rolled back, which its Deployment does not see. The value is
/// the Deployment.
pub const CUSTODY: &str = "sluice.dev/custody";
/// On a ReplicaSet in custody, the operator's: since when.
pub const CUSTODY_SINCE: &str = "sluice.dev/custody-since";
/// On a ReplicaSet that is or was in custody, the operator's: for which rollback, as `RUN/UID/GENERATION/TOKEN`.
pub const CUSTODY_FOR: &str = "sluice.dev/custody-for";
/// On a ReplicaSet in custody, the operator's: when room was made last.
pub const CUSTODY_STEP: &str = "sluice.dev/custody-step";
/// On a ReplicaSet that was given back, the operator's: which rollback has failed.
pub const CUSTODY_FAILED: &str = "sluice.dev/custody-failed";

/// On what is kept of a Deployment's releases, the operator's: since when the Deployment is gone.
pub const GONE_SINCE: &str = "sluice.dev/gone-since";

/// On the configuration of the gate's webhook: each replica's certificate authorities, as JSON.
pub const AUTHORITIES: &str = "sluice.dev/authorities";

/// Annotations by which the common node autoscalers leave a pod alone until it has ended.
pub const DO_NOT_DISRUPT: [(&str, &str); 2] =
    [("karpenter.sh/do-not-disrupt", "true"), ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false")];

/// Whether a label is one of those that Sluice reads.
#[must_use]
pub fn is_ours(key: &str) -> bool {
    key == MANAGED_BY || key.starts_with("sluice.dev/")
}
