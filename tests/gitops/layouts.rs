//! The layouts of examples/gitops/argocd: an app of apps, and an ApplicationSet, with the real shop, PostgreSQL and Prisma.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::Value;

use crate::argo::{ARGOCD, App, example};
use crate::cluster;
use crate::git::Git;
use crate::world::World;

/// The examples, committed as they are, but for where the repository is.
fn repository(name: &str) -> Git {
    let git = Git::new(name);
    let top = env!("CARGO_MANIFEST_DIR");
    for folder in ["examples/gitops/argocd/apps", "examples/gitops/argocd/environments", "examples/shop/kubernetes"] {
        copy(&git, top, folder);
    }
    git.commit("The examples");
    git
}

fn copy(git: &Git, top: &str, folder: &str) {
    for entry in std::fs::read_dir(format!("{top}/{folder}")).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            copy(git, top, &path);
        } else {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            git.write(&path, &text.replace("https://git.example.org/acme/shop.git", &git.url()));
        }
    }
}

/// What an earlier run has left.
fn clear(namespaces: &[&str]) {
    for namespace in namespaces {
        cluster::kubectl(&["delete", "namespace", namespace, "--ignore-not-found", "--timeout=120s"]);
    }
}

async fn serves(namespace: &str, image: &str) {
    let world = World { client: cluster::client().await, namespace: namespace.to_owned() };
    let found = Api::<Deployment>::namespaced(world.client.clone(), namespace).get("shop").await.unwrap();
    let containers = found.spec.unwrap().template.spec.unwrap().containers;
    assert_eq!(containers[0].image.as_deref(), Some(image), "{namespace}");
    let status = found.status.unwrap();
    assert!(status.available_replicas >= Some(1), "{namespace}: {status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_of_apps_comes_up_in_one_wave() {
    clear(&["shop-apps"]);
    let git = repository("apps");
    let root = App::new(example("app-of-apps.yaml", &git.url())).await;
    root.shows("the root", &git.head(), "Synced", "Healthy").await;
    for name in ["shop-database", "shop-release"] {
        let app = App::named(name).await;
        app.shows(name, &git.head(), "Synced", "Healthy").await;
        assert_eq!(app.operations(), 1, "{name}");
    }
    serves("shop-apps", "localhost/shop:1.0").await;
    root.argo.kubectl(&["delete", "application", "everything", "--wait=false"]);
    root.gone("its end").await;
    App::named("shop-release").await.gone("its end").await;
    clear(&["shop-apps"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_set_makes_an_application_of_each_environment() {
    let environments = [("staging", "localhost/shop:1.1"), ("production", "localhost/shop:1.0")];
    clear(&["shop-staging", "shop-production"]);
    let git = repository("environments");
    let set: Value = example("applicationset.yaml", &git.url());
    cluster::apply(ARGOCD, &set);
    for (environment, image) in environments {
        let (app, namespace) = (App::named(&format!("shop-{environment}")).await, format!("shop-{environment}"));
        // The environment's own database is nobody's release: without its Secret the run waits, and the Deployment is held.
        app.shows("before its database", &git.head(), "Synced", "Progressing").await;
        app.says("before its database", "Deployment", "Suspended", "No release serves yet").await;
        cluster::start_database(&namespace);
        app.shows("with its database", &git.head(), "Synced", "Healthy").await;
        serves(&namespace, image).await;
        assert_eq!(app.operations(), 1, "{environment}");
    }
    let argo = World { client: cluster::client().await, namespace: ARGOCD.to_owned() };
    argo.kubectl(&["delete", "applicationset", "shop", "--wait=false"]);
    for (environment, image) in environments {
        App::named(&format!("shop-{environment}")).await.gone("without its set").await;
        serves(&format!("shop-{environment}"), image).await;
    }
    clear(&["shop-staging", "shop-production"]);
}
