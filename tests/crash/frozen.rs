//! Cases in which an operator freezes in front of a write, another finishes the run, and the first one thaws.

use crate::case::{once, same};
use crate::operator::Operator;
use crate::scene::{Ending, Marks, Scene};
use crate::wire::Fault;

/// The frozen one led by election and has lost its lease.
pub async fn leader(scene: &Scene, fault: Fault, wanted: &Ending) -> Result<(), String> {
    scene.create_leader_lease().await;
    let first = Operator::candidate(&scene.cluster, &scene.namespace, Some(fault), "first");
    first.ready().await;
    let second = Operator::candidate(&scene.cluster, &scene.namespace, None, "second");
    scene.create_run().await;
    first.wire.struck().await;
    second.ready().await;
    scene.finished().await;
    same(&scene.ending().await, wanted)?;
    let before = scene.marks().await;
    first.wire.thaw();
    first.ended().await;
    untouched(scene, &before).await
}

/// The frozen one asks nobody: its late write and all that it does after it are sent.
pub async fn believer(scene: &Scene, fault: Fault, wanted: &Ending) -> Result<(), String> {
    scene.create_run().await;
    let first = Operator::start(&scene.cluster, &scene.namespace, Some(fault));
    if !scene.struck(&first).await {
        return same(&scene.ending().await, wanted);
    }
    let second = Operator::start(&scene.cluster, &scene.namespace, None);
    second.looked(1).await;
    scene.finished().await;
    same(&scene.ending().await, wanted)?;
    let before = scene.marks().await;
    // The pass that was frozen, and the one after it.
    let looked = first.looked(2);
    first.wire.thaw();
    looked.await;
    untouched(scene, &before).await
}

/// A late lock is given back by whoever leads; nothing else may have changed.
async fn untouched(scene: &Scene, before: &Marks) -> Result<(), String> {
    scene.unlocked().await;
    let after = scene.marks().await;
    if after != *before {
        return Err(format!("the late write changed\n{before:?}\ninto\n{after:?}"));
    }
    once(&scene.node.pods())
}
