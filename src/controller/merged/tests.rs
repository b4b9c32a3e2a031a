use std::collections::BTreeSet;

use futures::FutureExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, ObjectRef};
use proptest::prelude::*;

use super::*;

const NAMESPACES: [&str; 3] = ["a", "b", "c"];

fn object(namespace: &str, name: &str, version: usize) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.namespace = Some(namespace.to_owned());
    object.metadata.name = Some(name.to_owned());
    object.metadata.resource_version = Some(version.to_string());
    object
}

/// A cache of three namespaces, and what the watch of each is made to say.
struct Cache {
    store: Store<ConfigMap>,
    say: Vec<UnboundedSender<Result<Event<ConfigMap>, Error>>>,
    told: BoxStream<'static, Result<ConfigMap, Error>>,
}

impl Cache {
    fn new() -> Self {
        let (store, writer) = reflector::store();
        let (say, watches): (Vec<_>, Vec<_>) = NAMESPACES.iter().map(|_| unbounded()).unzip();
        let watches = watches.into_iter().map(|watch| watch.boxed()).collect();
        let stream = merged(&NAMESPACES.map(str::to_owned), watches, store.clone());
        Self { store, say, told: reflector::reflector(writer, stream).touched_objects().boxed() }
    }

    /// The watch of a namespace says this; what is told of it.
    fn says(&mut self, namespace: usize, events: impl IntoIterator<Item = Event<ConfigMap>>) -> Vec<String> {
        for event in events {
            self.say[namespace].unbounded_send(Ok(event)).unwrap();
        }
        let mut told = Vec::new();
        while let Some(Some(object)) = self.told.next().now_or_never() {
            told.push(object.unwrap().name_any());
        }
        told
    }

    fn lists(&mut self, namespace: usize, names: &[&str], version: usize) -> Vec<String> {
        let objects = names.iter().map(|name| Event::InitApply(object(NAMESPACES[namespace], name, version)));
        let objects: Vec<_> = objects.collect();
        self.says(namespace, [Event::Init].into_iter().chain(objects).chain([Event::InitDone]))
    }

    fn is_ready(&self) -> bool {
        self.store.wait_until_ready().now_or_never().is_some()
    }

    fn holds(&self) -> BTreeSet<(String, String, String)> {
        let all = self.store.state();
        let each = |object: &ConfigMap| {
            (object.namespace().unwrap(), object.name_any(), object.metadata.resource_version.clone().unwrap())
        };
        all.iter().map(|object| each(object)).collect()
    }
}

#[test]
fn it_is_filled_when_every_namespace_has_been_listed() {
    let mut cache = Cache::new();
    assert!(cache.lists(0, &["x"], 1).is_empty() && !cache.is_ready(), "nothing is told of a part");
    assert!(cache.lists(1, &[], 1).is_empty() && !cache.is_ready());
    assert_eq!(cache.lists(2, &["x", "y"], 1), ["x", "x", "y"]);
    assert!(cache.is_ready());
    assert_eq!(cache.holds().len(), 3);
}

#[test]
fn what_changes_before_it_is_filled_is_not_lost() {
    let mut cache = Cache::new();
    cache.lists(0, &["x", "gone"], 1);
    cache.says(
        0,
        [Event::Apply(object("a", "x", 2)), Event::Apply(object("a", "new", 2)), Event::Delete(object("a", "gone", 2))],
    );
    cache.lists(1, &[], 1);
    cache.lists(2, &[], 1);
    let held: Vec<_> = cache.holds().into_iter().map(|(_, name, version)| name + &version).collect();
    assert_eq!(held, ["new2", "x2"]);
}

#[test]
fn a_second_list_says_what_is_gone_and_touches_no_other_namespace() {
    let mut cache = Cache::new();
    for namespace in 0..3 {
        cache.lists(namespace, &["x", "y"], 1);
    }
    assert_eq!(cache.lists(1, &["y", "z"], 2), ["x", "y", "z"], "what is gone is told too");
    assert!(cache.is_ready());
    let of = |namespace: &str| -> Vec<_> {
        let held = cache.holds().into_iter().filter(|(its, ..)| its == namespace);
        held.map(|(_, name, version)| name + &version).collect()
    };
    assert_eq!((of("a"), of("b")), (vec!["x1".to_owned(), "y1".to_owned()], vec!["y2".to_owned(), "z2".to_owned()]));
    assert_eq!(of("c"), ["x1", "y1"]);
}

#[test]
fn what_goes_wrong_in_one_namespace_is_told() {
    let mut cache = Cache::new();
    cache.say[1].unbounded_send(Err(Error::NoResourceVersion)).unwrap();
    assert!(matches!(cache.told.next().now_or_never(), Some(Some(Err(Error::NoResourceVersion)))));
    assert_eq!(cache.lists(0, &["x"], 1).len() + cache.lists(1, &[], 1).len() + cache.lists(2, &[], 1).len(), 1);
}

/// What a watch of a namespace may say next.
#[derive(Clone, Debug)]
enum Said {
    Listed(Vec<u8>),
    Applied(u8),
    Deleted(u8),
}

fn said() -> impl Strategy<Value = (usize, Said)> {
    let said = prop_oneof![
        proptest::collection::vec(0..6u8, 0..5).prop_map(Said::Listed),
        (0..6u8).prop_map(Said::Applied),
        (0..6u8).prop_map(Said::Deleted),
    ];
    (0..NAMESPACES.len(), said)
}

proptest! {
    /// Once all are listed, the cache holds what each namespace has said last, in any order of what they say.
    #[test]
    fn the_cache_holds_what_every_namespace_has_said_last(story in proptest::collection::vec(said(), 0..60)) {
        let mut cache = Cache::new();
        let mut wanted: Vec<Option<BTreeMap<String, usize>>> = vec![None; NAMESPACES.len()];
        for (version, (namespace, said)) in story.into_iter().enumerate() {
            match (said, &mut wanted[namespace]) {
                (Said::Listed(names), has) => {
                    let names: Vec<String> = names.iter().map(|name| format!("o{name}")).collect();
                    *has = Some(names.iter().map(|name| (name.clone(), version)).collect());
                    cache.lists(namespace, &names.iter().map(String::as_str).collect::<Vec<_>>(), version);
                }
                // A watch lists before it says anything else.
                (_, None) => {}
                (Said::Applied(name), Some(has)) => {
                    has.insert(format!("o{name}"), version);
                    cache.says(namespace, [Event::Apply(object(NAMESPACES[namespace], &format!("o{name}"), version))]);
                }
                (Said::Deleted(name), Some(has)) => {
                    has.remove(&format!("o{name}"));
                    cache.says(namespace, [Event::Delete(object(NAMESPACES[namespace], &format!("o{name}"), version))]);
                }
            }
            let complete = wanted.iter().all(Option::is_some);
            prop_assert_eq!(cache.is_ready(), complete);
            if complete {
                let all = wanted.iter().zip(NAMESPACES).flat_map(|(has, namespace)| {
                    has.iter().flatten().map(move |(name, version)| (namespace.to_owned(), name.clone(), version.to_string()))
                });
                prop_assert_eq!(cache.holds(), all.collect::<BTreeSet<_>>());
            }
        }
    }
}

#[test]
fn objects_of_one_name_in_two_namespaces_are_two() {
    let mut cache = Cache::new();
    for namespace in 0..3 {
        cache.lists(namespace, &["x"], namespace);
    }
    cache.says(0, [Event::Delete(object("a", "x", 5))]);
    let found = |namespace: &str| cache.store.get(&ObjectRef::new("x").within(namespace)).is_some();
    assert_eq!((found("a"), found("b"), found("c")), (false, true, true));
}
