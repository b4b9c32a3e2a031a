//! Where it is looked: in all namespaces, or in some, and then nowhere else, since there are no rights beyond them.

use futures::future::try_join_all;
use k8s_openapi::NamespaceResourceScope;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::Observer;

/// One for each of `namespaces`, or for all where there is none.
pub fn scoped<K>(client: &Client, namespaces: &[String]) -> Vec<Api<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    if namespaces.is_empty() {
        return vec![Api::all(client.clone())];
    }
    namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
}

impl Observer {
    /// What is listed of all namespaces that are watched.
    pub(super) async fn everywhere<K>(&self, params: &ListParams) -> kube::Result<Vec<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let apis = scoped::<K>(&self.client, &self.watch_namespaces);
        let lists = try_join_all(apis.iter().map(|api| api.list(params))).await?;
        Ok(lists.into_iter().flat_map(|list| list.items).collect())
    }

    /// The same, metadata alone.
    pub(super) async fn metadata_everywhere<K>(&self, params: &ListParams) -> kube::Result<Vec<PartialObjectMeta<K>>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let apis = scoped::<K>(&self.client, &self.watch_namespaces);
        let lists = try_join_all(apis.iter().map(|api| api.list_metadata(params))).await?;
        Ok(lists.into_iter().flat_map(|list| list.items).collect())
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use kube::client::Body;

    use super::*;

    #[tokio::test]
    async fn it_is_looked_in_the_namespaces_that_are_named_alone() {
        let service = tower::service_fn(async |_: http::Request<Body>| {
            Ok::<_, std::convert::Infallible>(http::Response::new(Body::empty()))
        });
        let client = Client::new(service, "own");
        let urls = |namespaces: &[&str]| -> Vec<String> {
            let namespaces: Vec<String> = namespaces.iter().map(|&name| name.to_owned()).collect();
            scoped::<Pod>(&client, &namespaces).iter().map(|api| api.resource_url().to_owned()).collect()
        };
        assert_eq!(urls(&["a", "b"]), ["/api/v1/namespaces/a/pods", "/api/v1/namespaces/b/pods"]);
        assert_eq!(urls(&[]), ["/api/v1/pods"]);
    }
}
