//! The rule of the gate in Rust and in the cluster's policies, asked about the same writes: 2,000 random pairs of an old and
//! a new Deployment, by people with and without rights and by the operator. Once with the policy that holds, once with the webhook.
//!
//! `KUBECONFIG` names a control plane with `deploy/install.yaml` and `deploy/gate.yaml` on it, which `tests/policies/run`
//! leaves there; no node. Old objects are real; every write is a server-side dry run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod ask;
mod chance;
mod pool;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use futures::{StreamExt, stream};
use sluice::gate::{Answer, Request, Workload, admit};
use sluice::runtime::webhook::{
    self,
    keeper::{Keeper, Timing},
};

use ask::{Asked, Writer};
use chance::Chance;
use pool::{Hold, Pool};

const PAIRS: u64 = 2_000;
const AT_ONCE: usize = 16;

/// One write, and what the rule says of it.
struct Case {
    number: u64,
    writer: Writer,
    old: Option<Workload>,
    new: serde_json::Value,
}

impl Case {
    fn expected(&self) -> (Answer, Workload) {
        let new = Workload::read(&self.new);
        let request = Request {
            old: self.old.as_ref(),
            new: &new,
            by_operator: self.writer.is_operator(),
            may_bypass: self.writer.may_bypass(),
        };
        let answer = admit(&request);
        let after = if let Answer::Admitted { change, .. } = &answer { change.of(&new) } else { new.clone() };
        (answer, after)
    }

    /// How the cluster differs from the rule, if it does; else the kind of answer that both gave.
    fn compare(&self, asked: &Asked) -> Result<String, String> {
        let (answer, after) = self.expected();
        let same = match (&answer, asked) {
            (Answer::Refused(message), Asked::Refused(told)) => told.contains(message),
            (Answer::Admitted { warnings, .. }, Asked::Admitted { object, warnings: told }) => {
                let got = Workload::read(object);
                let fields =
                    (got.paused, &got.annotations, &got.labels) == (after.paused, &after.annotations, &after.labels);
                fields
                    && warnings.len() == told.len()
                    && warnings.iter().all(|w| told.iter().any(|t| t.contains(w.as_str())))
            }
            _ => false,
        };
        if !same {
            let Self { number, writer, old, new } = self;
            let (new, asked) = (Workload::read(new), asked.brief());
            return Err(format!(
                "pair {number}, by {writer:?}\n  old {old:?}\n  new {new:?}\n  rule {answer:?}\n  cluster {asked}"
            ));
        }
        Ok(match answer {
            Answer::Refused(message) => message.chars().take(48).collect(),
            Answer::Admitted { .. } if !after.is_gated() => "not gated".to_owned(),
            Answer::Admitted { .. } if after.is_held() => "held".to_owned(),
            Answer::Admitted { change, .. } if change.paused == Some(false) => "let go".to_owned(),
            Answer::Admitted { .. } => "open".to_owned(),
        })
    }
}

/// Both tests change what holds, so one waits for the other.
static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rule_and_the_policies_agree_on_every_write() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let pool = Pool::fill(&mut Chance::seeded(7), Hold::Policy).await;
    agree(&pool).await;
    pool.drain().await;
}

/// The same with the webhook in the policy's place, and then the questions about the gate. Its certificate lives for ten
/// seconds, so it is replaced many times in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_holds_like_the_policy_while_its_certificates_change() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let client = kube::Client::try_default().await.expect("KUBECONFIG names no cluster: see tests/cluster/up");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/hold", listener.local_addr().unwrap());
    let timing = Timing { life: Duration::from_secs(10), look: Duration::from_millis(500) };
    let keeper = Keeper::new(client, "sluice-gate", "here", &["127.0.0.1".to_owned()], timing).unwrap();
    let serving = webhook::serve(listener, webhook::routes(&ask::operator()), keeper.serving(), std::future::pending());
    let tasks = [tokio::spawn(async move { serving.await.unwrap() }), tokio::spawn(keeper.keep())];

    let pool = Pool::fill(&mut Chance::seeded(7), Hold::Webhook(url)).await;
    agree(&pool).await;
    let asked = tokio::task::spawn_blocking(|| {
        Command::new("tests/policies/run").arg("gate").current_dir(env!("CARGO_MANIFEST_DIR")).status()
    });
    let asked = asked.await.unwrap().unwrap();
    pool.drain().await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(asked.success(), "tests/policies/run gate, with the webhook");
}

/// Asks about random writes, and fails where the cluster's answer is not the rule's.
async fn agree(pool: &Pool) {
    let mut chance = Chance::seeded(11);
    let cases: Vec<Case> = (0..PAIRS)
        .map(|number| {
            let writer = chance.of(&Writer::ALL);
            let old = (!chance.one_in(10)).then(|| chance.of(&pool.objects));
            let new = chance.write(old.as_ref(), &format!("new-{number}"));
            Case { number, writer, old: old.map(|old| Workload::read(&old)), new }
        })
        .collect();
    let began = std::time::Instant::now();
    let outcomes: Vec<Result<String, String>> = stream::iter(&cases)
        .map(|case| async {
            let asked = pool.cluster.dry_run(case.writer, &case.new, case.old.is_some()).await;
            case.compare(&asked)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let seconds = began.elapsed().as_secs();
    pool.is_as_it_was().await;

    let differences: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    assert!(
        differences.is_empty(),
        "{} of {PAIRS} differ\n{}",
        differences.len(),
        differences.iter().take(5).map(|text| text.as_str()).collect::<Vec<_>>().join("\n")
    );
    let mut counted = BTreeMap::<&str, usize>::new();
    for outcome in outcomes.iter().flatten() {
        *counted.entry(outcome).or_default() += 1;
    }
    println!("{PAIRS} pairs agree in {seconds} s: {counted:#?}");
    assert_eq!(counted.len(), 4 + 5, "each outcome and each refusal comes up");
    assert!(counted.values().all(|count| *count >= 10), "each often enough to mean something");
}
