//! No password and no row value anywhere that Sluice writes.

use serde_json::json;

use crate::cluster::{self, undisturbed};
use crate::world::World;

#[tokio::test]
async fn no_password_and_no_row_value_gets_out() {
    let _operator = undisturbed().await;
    let world = World::with_database("leaks").await;
    world.shop("shop", "1.1", json!({}));
    world.clean("shop").await;
    let sku = cluster::sql("leaks", "SELECT sku FROM \"Product\" GROUP BY sku HAVING count(*) > 1 LIMIT 1");
    assert!(!sku.is_empty(), "the seed has a value that is there twice");
    world.shop("shop", "1.2", json!({}));
    world.stalled("shop").await;
    let tells = "echo \"cannot connect with $DATABASE_URL password=hunter2-$((40+2))-hunter2\" >&2; exit 1";
    world.script(
        "tells",
        tells,
        json!({ "database": { "urlFrom": { "secretKeyRef": { "name": "shop-db", "key": "DATABASE_URL" } } } }),
    );
    world.stalled("tells").await;

    let everything = [
        cluster::kubectl(&["get", "mrun,events,leases", "-A", "-o", "json"]),
        cluster::kubectl(&["-n", cluster::OPERATOR, "logs", "deployment/sluice"]),
        metrics(),
    ]
    .join("\n");
    // The server's own Secret carries the password; runs of all tests went through before and beside this one.
    for secret in [cluster::PASSWORD, "hunter2-42-hunter2", "a-wrong-password", &sku] {
        let found: Vec<&str> = everything.lines().filter(|line| line.contains(secret)).collect();
        assert!(found.is_empty(), "{secret:?} is in {found:?}");
    }
}

fn metrics() -> String {
    let pod = cluster::kubectl(&[
        "-n",
        cluster::OPERATOR,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/name=sluice",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ]);
    cluster::kubectl(&[
        "get",
        "--raw",
        &format!("/api/v1/namespaces/{}/pods/{pod}:8080/proxy/metrics", cluster::OPERATOR),
    ])
}
