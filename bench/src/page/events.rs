//! The page over tenants in clusters: an event of the API server until it is on the page.

use super::{CHANGES, DOCUMENTS, OF_COMPARING, Page, TENANTS};
use crate::clusters::load::Load;
use crate::clusters::test_cluster::tenant_in;
use crate::report::Figure;
use crate::{Outcome, generate, measure};
use http::{Method, Request};
use serde_json::json;
use stablekey::api::{API_VERSION, Kind, Object, Resource, TenantSpec};
use stablekey::manifest::to_yaml;
use stablekey_clusters::{Cluster, Namespace, Options};
use std::time::{Duration, Instant};

const IN_FLIGHT: usize = 64;

/// Measures one changed connection, and one changed Component, which changes everything that uses it.
pub(super) fn figures() -> Outcome<Vec<Figure>> {
    let cluster = Cluster::start(&Options::named("page"))?;
    cluster.install_crds()?;
    let namespaces: Vec<Namespace<'_>> = (1..=TENANTS).map(|number| cluster.namespace(&format!("t{number}"))).collect();
    let load = Load::on(cluster.kubeconfig())?;
    let root = tempfile::tempdir()?;
    let resources = generate::resources(DOCUMENTS);
    let from = "t1".to_string();
    for (number, namespace) in namespaces.iter().enumerate() {
        let name = format!("t{}", number + 1);
        load.create(&resources, namespace.name(), IN_FLIGHT)?;
        let own = TenantSpec { accept_from: vec![from.clone()], ..TenantSpec::default() };
        load.create(&[Resource::from(Object::new(&name, own))], namespace.name(), 1)?;
        let spec = TenantSpec { accept_from: vec![from.clone()], ..tenant_in(&cluster, namespace.name()) };
        std::fs::write(root.path().join(format!("{name}.yaml")), to_yaml(&Resource::from(Object::new(&name, spec)))?)?;
    }
    std::fs::write(root.path().join("syncs.yaml"), super::sync("Match"))?;

    let mut page = Page::start(root.path(), &[("KUBECONFIG", cluster.kubeconfig().as_os_str())])?;
    page.wait_until_shown()?;
    let last = namespaces.last().ok_or("there is no tenant")?.name();
    // The watches list all once, and the page takes that in.
    settle(&page)?;
    let (mut shown, mut comparing) = (Vec::new(), Vec::new());
    for number in 0..CHANGES {
        shown.push(one(&page, &load, last, number)?);
        settle(&page)?;
        comparing.push(all(&page, &load, last, number)?);
        settle(&page)?;
    }
    page.stop()?;
    let of = format!("in one of {TENANTS} namespaces of 10,000 connections");
    Ok(vec![
        Figure::of_time(format!("a changed connection {of}: it is on the page"), measure::median(shown), OF_COMPARING),
        Figure::of_time(
            format!("a changed component {of}: it says that it compares"),
            measure::median(comparing),
            OF_COMPARING,
        ),
    ])
}

/// Waits until nothing is compared any more.
fn settle(page: &Page) -> Outcome<()> {
    loop {
        let version = page.version()?;
        if !page.get("/syncs")?.contains("Comparing") {
            return Ok(());
        }
        page.wait_for(version, &["changed"], |_| {})?;
    }
}

fn patch(load: &Load, namespace: &str, (kind, name): (Kind, &str), spec: serde_json::Value) -> Outcome<()> {
    let path = format!("/apis/{API_VERSION}/namespaces/{namespace}/{}/{name}", kind.plural());
    let request = Request::builder().method(Method::PATCH).uri(path);
    let body = json!({ "spec": spec }).to_string().into_bytes();
    load.ask(request.header("content-type", "application/merge-patch+json").body(body)?)?;
    Ok(())
}

fn one(page: &Page, load: &Load, namespace: &str, number: usize) -> Outcome<Duration> {
    let key = generate::changed_key(5);
    let version = page.version()?;
    let title = format!("changed {number} times");
    let begin = Instant::now();
    patch(load, namespace, (Kind::Connection, &key), json!({ "title": title }))?;
    let mut version = page.wait_for(version, &["changed", "comparing"], |_| {})?;
    while !page.get(&format!("/connection?key={key}"))?.contains(&title) {
        version = page.wait_for(version, &["changed"], |_| {})?;
    }
    Ok(begin.elapsed())
}

fn all(page: &Page, load: &Load, namespace: &str, number: usize) -> Outcome<Duration> {
    let version = page.version()?;
    let begin = Instant::now();
    let types = json!([{ "key": format!("type{number}") }]);
    patch(load, namespace, (Kind::Component, &generate::component_name()), json!({ "types": types }))?;
    page.wait_for(version, &["changed", "comparing"], |_| {})?;
    Ok(begin.elapsed())
}
