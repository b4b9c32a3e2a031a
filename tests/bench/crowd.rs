//! Many runs at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use sluice::api::{MigrationRun, labels};

use crate::figures::{Aim, Samples, Table};
use crate::operator::Operator;
use crate::world::{AT_ONCE, World, condition, create_strangers, is_finished};
use crate::{bare, count, say};

/// Peak of the operator's resident memory, in KiB.
const MEMORY: u64 = 64 * 1024;

/// A clean run alone, and beside others that run for long or are tried again and again.
pub async fn beside(world: &World, table: &mut Table) {
    let (rounds, others) = (count("BENCH_BESIDE", 20), count("BENCH_OTHERS", 100) / 2);
    say!("a clean run alone, {rounds} times");
    let alone = clean_runs(world, "clean-alone", rounds).await;
    let pairs_alone = bare_pairs(world, "pair-alone", rounds).await;
    say!("and beside {others} that run on and {others} that fail and are tried again");
    let names: Vec<String> =
        (0..others).flat_map(|number| [format!("slow-{number}"), format!("unreachable-{number}")]).collect();
    let mut runs = world.runs.sightings();
    world.create_runs(&names).await;
    let mut awaited: BTreeSet<String> = names.into_iter().collect();
    while !awaited.is_empty() {
        let (_, run) = runs.next("the others to run or to fail").await;
        let status = run.status.clone().unwrap_or_default();
        let runs_on = status.attempts.last().is_some_and(|attempt| attempt.migrate.started_at.is_some());
        if runs_on || status.failure.is_some() {
            awaited.remove(&run.name_any());
        }
    }
    let beside = clean_runs(world, "clean-beside", rounds).await;
    let pairs_beside = bare_pairs(world, "pair-beside", rounds).await;
    let what = format!("a clean run (scripted node) beside {} slow and failing ones", others * 2);
    table.time(&what, &Aim::NONE, &beside, Some(("the same alone", &alone)));
    let what = "what the cluster adds to that: two bare Jobs one after the other, beside the same";
    table.time(what, &Aim::NONE, &pairs_beside, Some(("the same alone", &pairs_alone)));
    world.node.let_slow_end();
    clear(world).await;
}

async fn clean_runs(world: &World, name: &str, rounds: usize) -> Samples {
    let mut samples = Samples::default();
    for number in 0..rounds {
        let name = format!("{name}-{number}");
        let mut runs = world.runs.sightings();
        let applied = Instant::now();
        world.create_run(&name).await;
        let (ready, _) = runs.first("Ready", |run| run.name_any() == name && is_ready(run)).await;
        samples.push(ready - applied);
    }
    samples
}

/// Two Jobs one after the other, as somebody would start them who sees the first one's pod end.
async fn bare_pairs(world: &World, name: &str, rounds: usize) -> Samples {
    let params = ListParams::default().labels(labels::RUN).limit(1);
    let template = world.api::<Job>().list(&params).await.unwrap().items.remove(0);
    let mut samples = Samples::default();
    for number in 0..rounds {
        let begun = Instant::now();
        for half in ["first", "second"] {
            let name = format!("{name}-{half}-{number}");
            let mut pods = world.pods.sightings();
            let job = bare::job(&template, &name, false);
            world.api::<Job>().create(&PostParams::default(), &job).await.unwrap();
            let ended = |pod: &Pod| {
                pod.labels().get(crate::node::BARE) == Some(&name)
                    && pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Succeeded"))
            };
            pods.first("the bare Job's pod to end", ended).await;
        }
        samples.push(begun.elapsed());
    }
    samples
}

/// Removes what the parts before have left.
async fn clear(world: &World) {
    say!("clearing up");
    let (now, all) = (DeleteParams::background(), ListParams::default());
    world.api::<MigrationRun>().delete_collection(&now, &all).await.unwrap();
    let bare = ListParams::default().labels(crate::node::BARE);
    world.api::<Job>().delete_collection(&now, &bare).await.unwrap();
    world.api::<Pod>().delete_collection(&DeleteParams::default().grace_period(0), &bare).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if world.api::<Job>().list_metadata(&all).await.unwrap().items.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    say!("some Jobs of the parts before are still there");
}

/// All at once, one in ten of them failing.
pub async fn at_once(world: &World, table: &mut Table) {
    let (runs, strangers) = (count("BENCH_CROWD", 1000), count("BENCH_STRANGERS", 10_000));
    say!("creating {strangers} pods that have nothing to do with Sluice");
    let begun = Instant::now();
    create_strangers(&world.client, "strangers", strangers).await;
    say!("they are there after {:.0} s", begun.elapsed().as_secs_f64());
    let operator = Operator::start().await;
    let idle = operator.memory().0;
    let pods = world.node.pods();
    say!("{runs} runs at once");
    let names: Vec<String> =
        (0..runs).map(|number| format!("{}-{number}", if number % 10 == 9 { "crowdfail" } else { "crowd" })).collect();
    let mut seen = world.runs.sightings();
    let begun = Instant::now();
    let creating = world.create_runs(&names);
    let ending = async {
        let (mut ended, mut times, mut last) = (BTreeMap::new(), Samples::default(), begun);
        while ended.len() < names.len() {
            let (at, run) = seen.next("all runs to end").await;
            if is_finished(&run) && ended.insert(run.name_any(), is_right(&run)).is_none() {
                times.push(at - begun);
                last = at;
                if ended.len().is_multiple_of(200) {
                    say!("{} have ended after {:.1} s", ended.len(), begun.elapsed().as_secs_f64());
                }
            }
        }
        (ended, last - begun)
    };
    let ((), (ended, took)) = futures::join!(creating, ending);
    let (peak, at_end) = operator.memory();
    say!("the operator was busy for {:.1} s; memory {} KiB at the end", operator.busy().as_secs_f64(), at_end);
    let wrong: Vec<_> = ended.iter().filter(|(_, right)| !**right).map(|(name, _)| name).collect();
    let listed =
        world.api::<Job>().list_metadata(&ListParams::default().labels(labels::RUN)).await.unwrap().items.len();
    let pods = world.node.pods() - pods;
    let right = wrong.is_empty() && listed == runs * 2 && pods == runs * 2;
    let text = if right { "yes".to_owned() } else { format!("wrong: {wrong:?}") };
    let beside = format!("{listed} Jobs, {pods} pods, one failing in ten");
    table.value(&format!("{runs} runs at once, one replica: all end right"), "yes", right, &text, runs, &beside);
    operator.stop().await;

    let floor = pairs(world, runs).await;
    let name = "as many pairs of bare Jobs, the second when the first has ended";
    table.time(
        &format!("{runs} runs at once: until the last has ended"),
        &Aim::NONE,
        &took.into(),
        Some((name, &floor.into())),
    );
    let mib = |kib: u64| format!("{:.1} MiB", kib as f64 / 1024.0);
    let what = format!("the operator's peak memory over those {runs} runs, {strangers} other pods in the cluster");
    table.value(&what, "< 64 MiB", peak < MEMORY, &mib(peak), 1, &format!("without a run: {}", mib(idle)));
}

/// What the cluster alone takes for two Jobs one after the other, as many times at once.
async fn pairs(world: &World, count: usize) -> Duration {
    say!("the floor: {count} pairs of bare Jobs");
    let params = ListParams::default().labels(labels::RUN).limit(1);
    let template = world.api::<Job>().list(&params).await.unwrap().items.remove(0);
    let create = |name: String| {
        let (api, job) = (world.api::<Job>(), bare::job(&template, &name, false));
        async move { api.create(&PostParams::default(), &job).await.unwrap() }
    };
    let mut pods = world.pods.sightings();
    let begun = Instant::now();
    let first = futures::stream::iter(0..count).for_each_concurrent(AT_ONCE, |number| async move {
        create(format!("bare-first-{number}")).await;
    });
    let (tell, told) = futures::channel::mpsc::unbounded::<String>();
    let second = told.for_each_concurrent(AT_ONCE, |name| async move {
        create(name).await;
    });
    let ending = async move {
        let (mut firsts, mut seconds) = (BTreeSet::new(), BTreeSet::new());
        while seconds.len() < count {
            let (_, pod) = pods.next("the floor's pods to end").await;
            let ended = pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Succeeded"));
            let Some(name) = pod.labels().get(crate::node::BARE).filter(|_| ended) else { continue };
            match name.strip_prefix("bare-first-") {
                Some(number) if firsts.insert(number.to_owned()) => {
                    tell.unbounded_send(format!("bare-second-{number}")).unwrap();
                }
                Some(_) => {}
                None => drop(seconds.insert(name.clone())),
            }
        }
        begun.elapsed()
    };
    futures::join!(first, second, ending).2
}

fn is_ready(run: &MigrationRun) -> bool {
    condition(run.status.as_ref(), "Ready") == "True"
}

/// Whether it ended as the node ended its pods.
fn is_right(run: &MigrationRun) -> bool {
    let status = run.status.as_ref();
    if run.name_any().starts_with("crowdfail") {
        let failure = status.and_then(|status| status.failure.as_ref());
        condition(status, "Stalled") == "True" && failure.is_some_and(|failure| failure.class == "DataConflict")
    } else {
        is_ready(run)
    }
}
