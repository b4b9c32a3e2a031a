//! The watches of several namespaces as one, so that a single cache is filled from all of them. No client.
//!
//! A cache takes a new list for all that there is. So the lists of namespaces are kept back until each has come once, and are then
//! one list; where a watch lists again later, only the differences are told.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{Error, Event};
use kube::{Resource, ResourceExt};

/// A watch.
type Watch<K> = BoxStream<'static, Result<Event<K>, Error>>;

/// The watches, one for each of `namespaces`, as one for the cache that `store` reads.
pub fn merged<K>(namespaces: &[String], watches: Vec<Watch<K>>, store: Store<K>) -> Watch<K>
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    let mut lists = Lists::of(namespaces, store);
    let named = namespaces.iter().cloned().zip(watches);
    let named = named.map(|(namespace, watch)| watch.map(move |event| (namespace.clone(), event)).boxed());
    let told = select_all(named).flat_map(move |(namespace, event)| {
        let events = match event {
            Ok(event) => lists.tell(&namespace, event).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        futures::stream::iter(events)
    });
    told.boxed()
}

/// What has been listed, and not told yet.
struct Lists<K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static> {
    of: BTreeMap<String, List<K>>,
    /// Whether the cache has got its first list.
    told: bool,
    store: Store<K>,
}

struct List<K> {
    complete: bool,
    objects: BTreeMap<String, K>,
}

impl<K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static> Lists<K> {
    fn of(namespaces: &[String], store: Store<K>) -> Self {
        let empty = |name: &String| (name.clone(), List { complete: false, objects: BTreeMap::new() });
        Self { of: namespaces.iter().map(empty).collect(), told: false, store }
    }

    /// What the cache is told of an event of a watch.
    fn tell(&mut self, namespace: &str, event: Event<K>) -> Vec<Event<K>> {
        let Some(list) = self.of.get_mut(namespace) else { return Vec::new() };
        match event {
            Event::Init => {
                list.complete = false;
                list.objects.clear();
            }
            Event::InitApply(object) => {
                list.objects.insert(object.name_any(), object);
            }
            Event::InitDone => {
                list.complete = true;
                if self.told {
                    let objects = std::mem::take(&mut list.objects);
                    return self.differences(namespace, objects);
                }
                if self.of.values().all(|list| list.complete) {
                    return self.first();
                }
            }
            change if self.told => return vec![change],
            Event::Apply(object) => {
                list.objects.insert(object.name_any(), object);
            }
            Event::Delete(object) => {
                list.objects.remove(&object.name_any());
            }
        }
        Vec::new()
    }

    /// All lists as one.
    fn first(&mut self) -> Vec<Event<K>> {
        self.told = true;
        let objects = self.of.values_mut().flat_map(|list| std::mem::take(&mut list.objects).into_values());
        let objects = objects.map(Event::InitApply);
        [Event::Init].into_iter().chain(objects).chain([Event::InitDone]).collect()
    }

    /// What the new list of a namespace has, and what it has no more.
    fn differences(&self, namespace: &str, objects: BTreeMap<String, K>) -> Vec<Event<K>> {
        let of_namespace = |object: &K| object.meta().namespace.as_deref() == Some(namespace);
        let gone = self.store.state_filter(|object| of_namespace(object) && !objects.contains_key(&object.name_any()));
        let gone = gone.into_iter().map(|object| Event::Delete(object.as_ref().clone()));
        gone.chain(objects.into_values().map(Event::Apply)).collect()
    }
}

#[cfg(test)]
mod tests;
