//! People and GitOps: what they write, as often and whenever they like.

use super::state::*;
use super::world::{Scene, Step, World};

/// What people may do next.
pub fn steps(scene: &Scene, state: &State, steps: &mut Vec<Step>) {
    let releases = || scene.templates.iter().copied();
    match &state.deployment {
        Some(deployment) => {
            let others = releases().filter(|release| *release != deployment.template);
            let waits = scene.patience && state.sets.iter().any(|set| set.listed.is_none());
            steps.extend(others.filter(|_| !waits).map(Step::Template));
            steps.extend(scene.plants.then_some(Step::Plant));
            steps.extend(scene.scales.then_some(Step::Scale(1 - deployment.wanted)));
            steps.extend(scene.deletes.then_some(Step::Delete { orphan: false }));
            steps.extend(scene.orphans.then_some(Step::Delete { orphan: true }));
        }
        None => {
            steps.extend(releases().map(Step::Create));
            let nothing = state.runs.iter().all(Option::is_none) && state.sets.is_empty();
            steps.extend((scene.razes && nothing).then_some(Step::Raze));
        }
    }
    for (slot, run) in state.runs.iter().enumerate() {
        let images = scene.runs[slot].iter().filter(|image| run.is_none_or(|run| run.image != **image));
        steps.extend(images.map(|image| Step::Apply(slot, *image)));
        steps.extend(run.filter(|_| !scene.lasting).map(|_| Step::Remove(slot)));
        let Some(run) = run else { continue };
        let rolled_back = run.record.back.is_some_and(|back| back.current && back.from != Releases::default());
        let failed = run.record.attempt == Attempt::Failed && !run.record.again;
        steps.extend((scene.retries && !run.token && (failed || rolled_back)).then_some(Step::Retry(slot)));
        let let_go = state.deployment.is_some_and(|it| it.approved.has(run.image));
        // Each time before the last one has come to its end it would leave one more in custody, without end.
        let ended = state.in_custody().next().is_none();
        let asked = scene.rolls_back && ended && !run.wish && (let_go || (rolled_back && scene.times_out));
        steps.extend(asked.then_some(Step::RollBack(slot)));
    }
    let waits = scene.times_out && !state.overdue && state.in_custody().next().is_some();
    steps.extend(waits.then_some(Step::Time));
}

/// What becomes of it.
pub fn next(world: &World, state: &State, step: Step) -> Option<State> {
    let mut next = state.clone();
    match step {
        Step::Template(template) => next.deployment = Some(world.write(state, |old| Deployment { template, ..old })?),
        // `kubectl replace` of what they would like to be true.
        Step::Plant => {
            let planted = |old| Deployment { approved: Releases::ALL, held: Held::No, paused: false, ..old };
            next.deployment = Some(world.write(state, planted)?);
        }
        Step::Scale(wanted) => next.deployment = Some(world.write(state, |old| Deployment { wanted, ..old })?),
        Step::Delete { orphan } => {
            next.deployment = None;
            let owner = if orphan { Owner::Nobody } else { Owner::Gone };
            for set in next.sets.iter_mut().filter(|set| [Owner::Deployment, Owner::Custody].contains(&set.owner)) {
                set.owner = if orphan && set.owner == Owner::Custody { Owner::Stray } else { owner };
                // Its pods are nobody's concern any more.
                set.present = if orphan { set.present } else { 0 };
            }
        }
        Step::Create(template) => {
            // What is planted at the creation has no effect either.
            let approved = if world.scene.plants { Releases::ALL } else { Releases::default() };
            let sent = Deployment { template, wanted: 1, approved, held: Held::No, paused: false };
            next.deployment = Some(world.api.admit(world.mutation, None, sent, false)?);
        }
        Step::Apply(slot, image) => {
            let new = Run {
                image,
                token: false,
                wish: false,
                answer: None,
                queued: 0,
                cleaned: 0,
                record: Record::default(),
            };
            next.runs[slot] = Some(next.runs[slot].map_or(new, |run| Run { image, token: false, ..run }));
        }
        Step::Remove(slot) => {
            next.runs[slot] = None;
            next.outdate(slot);
        }
        Step::Retry(slot) => next.runs[slot].as_mut()?.token = true,
        Step::RollBack(slot) => next.runs[slot].as_mut()?.wish = true,
        Step::Time => next.overdue = true,
        // The environment is made anew, with an empty database.
        Step::Raze => next.clean = Releases::default(),
        _ => return None,
    }
    Some(next)
}
