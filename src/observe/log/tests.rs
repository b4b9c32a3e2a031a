//! Whatever is wrong with a log, there is a verdict.

use std::convert::Infallible;

use axum::body::Bytes;
use futures::StreamExt;
use futures::stream::{BoxStream, iter, pending};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::client::Body;

use super::*;
use crate::classify::OwnRule;

const CONFLICT: &str = "Prisma schema loaded from prisma/schema.prisma\n\nApplying migration `a`\nError: P3018\n\n\
    Migration name: a\n\nDatabase error code: 23505\n";

/// What the API server does when it is asked for the log of a container.
#[derive(Clone)]
enum Answer {
    Whole(&'static str),
    Refused(u16),
    BrokenAfter(&'static str),
    EndlessAfter(&'static str),
}

type Piece = Result<Frame<Bytes>, std::io::Error>;
type Answered = StreamBody<BoxStream<'static, Piece>>;

impl Answer {
    fn body(self) -> (u16, Answered) {
        let data = |text: &'static str| -> Piece { Ok(Frame::data(text.as_bytes().into())) };
        let broken = || -> Piece { Err(std::io::Error::other("the connection broke")) };
        let (code, pieces) = match self {
            Answer::Whole(text) => (200, iter([data(text)]).boxed()),
            Answer::Refused(code) => (code, iter([data("{}")]).boxed()),
            Answer::BrokenAfter(text) => (200, iter([data(text), broken()]).boxed()),
            Answer::EndlessAfter(text) => (200, iter([data(text)]).chain(pending()).boxed()),
        };
        (code, StreamBody::new(pieces))
    }
}

fn ended(message: Option<&str>) -> Terminated {
    Terminated {
        pod: "p".into(),
        container: "migrate".into(),
        others: vec!["proxy".into()],
        started_at: None,
        ended_at: None,
        exit_code: Some(1),
        image_id: None,
        ending: Ending::Exited(1),
        not_started: None,
        termination_message: message.map(str::to_owned),
    }
}

async fn judge(migrate: Answer, proxy: Answer, ended: Terminated) -> (Verdict, bool) {
    judge_by(None, migrate, proxy, ended).await
}

async fn judge_by(own: Option<OwnRule>, migrate: Answer, proxy: Answer, ended: Terminated) -> (Verdict, bool) {
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let of_proxy = request.uri().query().unwrap_or_default().contains("container=proxy");
        let (code, body) = if of_proxy { proxy.clone() } else { migrate.clone() }.body();
        async move { Ok::<_, Infallible>(http::Response::builder().status(code).body(body).unwrap()) }
    });
    let client = Client::new(service, "a");
    let reading = Reading {
        tool: Tool::Prisma,
        step: Step::Migrate,
        own: own.map(|rule| Arc::new(OwnRules::new([rule]).unwrap())),
    };
    read(&client, "a", &reading, &ended).await
}

fn silent() -> Answer {
    Answer::Whole("")
}

#[tokio::test]
async fn a_whole_log_is_judged_whole() {
    let (verdict, complete) = judge(Answer::Whole(CONFLICT), silent(), ended(None)).await;
    assert_eq!((verdict.class, complete), (Some(Class::DataConflict), true));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_gone_refused_broken_or_endless_leaves_what_the_kubelet_kept() {
    let answers =
        [silent(), Answer::Refused(500), Answer::Refused(404), Answer::BrokenAfter("x\n"), Answer::EndlessAfter("x\n")];
    for answer in answers {
        let (verdict, complete) =
            judge(answer, silent(), ended(Some("Error: P1001: Can't reach database server at `db`"))).await;
        assert_eq!((verdict.class, complete), (Some(Class::Connectivity), false));
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_kubelets_words_what_came_before_the_end_says_why_and_is_not_tried_again() {
    for answer in [Answer::BrokenAfter(CONFLICT), Answer::EndlessAfter(CONFLICT)] {
        let (verdict, complete) = judge(answer, silent(), ended(None)).await;
        assert_eq!((verdict.class, verdict.confidence), (Some(Class::DataConflict), Confidence::Low));
        assert!(!verdict.retryable && !complete);
    }
    let well = "No pending migrations to apply.\n";
    let broken = Terminated { exit_code: Some(0), ending: Ending::Exited(0), ..ended(None) };
    assert_ne!(judge(Answer::BrokenAfter(well), silent(), broken).await.0.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_log_that_the_kubelet_has_rotated_is_read_from_where_it_begins() {
    let rotated = "ion `a`\nError: P3018\n\nMigration name: a\n\nDatabase error code: 23505\n";
    let (verdict, _) = judge(Answer::Whole(rotated), silent(), ended(None)).await;
    assert_eq!((verdict.class, verdict.migration.as_deref()), (Some(Class::DataConflict), Some("a")));
}

#[tokio::test]
async fn another_containers_log_says_why_where_the_steps_own_does_not() {
    let proxy = Answer::Whole("dial tcp 10.0.0.1:5432: connect: connection refused\n");
    let (verdict, _) = judge(Answer::Whole("something went wrong\n"), proxy.clone(), ended(None)).await;
    assert_eq!((verdict.class, verdict.retryable), (Some(Class::Connectivity), false));
    assert!(verdict.evidence.iter().all(|line| line.starts_with("proxy: ")), "{verdict:?}");
    let (verdict, _) = judge(Answer::Whole(CONFLICT), proxy, ended(None)).await;
    assert_eq!(verdict.class, Some(Class::DataConflict));
}

#[tokio::test]
async fn a_rule_of_the_users_own_counts_in_another_containers_log() {
    let rule =
        OwnRule { pattern: "^quota: ".into(), class: Class::Runtime, reason: "ProxyQuota".into(), retryable: true };
    let proxy = Answer::Whole("quota: 10 of 10, token=hunter2\n");
    let silent = Answer::Whole("something went wrong\n");
    let (verdict, _) = judge_by(Some(rule.clone()), silent.clone(), proxy.clone(), ended(None)).await;
    assert_eq!(verdict.reason.as_ref().map(Reason::as_str), Some("ProxyQuota"));
    assert_eq!((verdict.outcome, verdict.class, verdict.retryable), (Outcome::Failed, Some(Class::Runtime), false));
    assert_eq!(verdict.evidence, ["proxy: quota: 10 of 10, token=***"]);
    let (verdict, _) = judge_by(None, silent, proxy.clone(), ended(None)).await;
    assert_eq!(verdict.class, Some(Class::Unknown));
    let (verdict, _) = judge_by(Some(rule), Answer::Whole(CONFLICT), proxy, ended(None)).await;
    assert_eq!(verdict.class, Some(Class::DataConflict));
}
