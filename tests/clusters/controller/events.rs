//! Events, as kubectl shows them.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::config::Kubeconfig;
use stablekey::controller::Role;
use stablekey::controller::election::{Election, Leadership, Timings};
use stablekey::controller::events::{Events, Importance, Transition};
use stablekey::controller::stop::Stop;
use stablekey::kubernetes::client::Server;
use stablekey::kubernetes::connect::Servers;
use stablekey_clusters::{Namespace, run, shared};
use stablekey_testing::replica::until;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn server() -> Server {
    let kubeconfig = Kubeconfig::read_from(shared("us").kubeconfig()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Servers::default().connect_by(kubeconfig, "us")).unwrap()
}

fn transition(namespace: &Namespace<'_>, reason: &str, note: &str) -> Transition {
    Transition {
        object: ObjectReference {
            api_version: Some("stablekey.dev/v1alpha1".to_string()),
            kind: Some("Connection".to_string()),
            namespace: Some(namespace.name().to_string()),
            name: Some("crm".to_string()),
            ..ObjectReference::default()
        },
        importance: Importance::Warning,
        reason: reason.to_string(),
        action: "Check",
        note: note.to_string(),
    }
}

/// Sends the queued events.
fn sent(server: &Server, events: &Events) {
    server.wait(async {
        tokio::select! {
            never = events.send() => match never {},
            () = events.flush(LONG) => {}
        }
    });
}

fn notes(namespace: &Namespace<'_>) -> Vec<String> {
    let path = "jsonpath={range .items[*]}{.note}{\"\\n\"}{end}";
    let args = ["get", "events.events.k8s.io", "--sort-by={.eventTime}", "-o", path];
    run(namespace.kubectl().args(args)).unwrap().lines().map(str::to_string).collect()
}

#[test]
fn a_transition_is_one_event_of_its_object() {
    let namespace = shared("us").namespace("events");
    let server = server();
    let events = Events::new(&server, Role::Binder, "a-pod_1", Leadership::always());
    let long = format!("third {}", "ü".repeat(2_000));
    for (reason, note) in [("Ready", "first"), ("Ready", "first"), ("InputMissing", "second"), ("InputMissing", &long)]
    {
        events.record(transition(&namespace, reason, note));
    }
    sent(&server, &events);
    let told = notes(&namespace);
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[2].len(), 1_024);
    let shown = run(namespace.kubectl().args(["events", "--for", "Connection.v1alpha1.stablekey.dev/crm"])).unwrap();
    assert!(shown.contains("Warning") && shown.contains("InputMissing") && shown.contains("second"), "{shown}");
    let who =
        ["get", "events.events.k8s.io", "-o", "jsonpath={.items[0].reportingController} {.items[0].reportingInstance}"];
    assert_eq!(run(namespace.kubectl().args(who)).unwrap(), "stablekey.dev/binder a-pod_1");
}

#[test]
fn of_too_many_events_the_oldest_are_dropped() {
    let namespace = shared("us").namespace("events");
    let server = server();
    let events = Events::new(&server, Role::Syncer, "a-pod_1", Leadership::always());
    let elsewhere = Transition {
        object: ObjectReference { namespace: Some("nowhere".to_string()), ..transition(&namespace, "A", "").object },
        ..transition(&namespace, "A", "cannot be sent")
    };
    for number in 0..300 {
        events.record(transition(&namespace, "Ready", &format!("{number:03}")));
    }
    events.record(elsewhere);
    sent(&server, &events);
    until("all are there", || notes(&namespace).len() >= 255);
    let told = notes(&namespace);
    assert_eq!((told.len(), told[0].as_str(), told[254].as_str()), (255, "045", "299"));
}

#[test]
fn a_standby_sends_no_events() {
    let namespace = shared("us").namespace("events");
    let server = server();
    let election = Election {
        server: server.clone(),
        namespace: namespace.name().to_string(),
        name: "led".to_string(),
        identity: "a-pod_1".to_string(),
        timings: Timings::of(LONG),
    };
    let (_stopper, stop) = Stop::new();
    let led = server.wait(election.lead(
        &stop,
        |_| {},
        |leadership| async {
            assert!(leadership.holds());
            leadership
        },
    ));
    let led = led.unwrap();
    assert!(!led.holds(), "it was released");
    let events = Events::new(&server, Role::Binder, "a-pod_1", led);
    events.record(transition(&namespace, "Ready", "too late"));
    sent(&server, &events);
    assert_eq!(notes(&namespace), [""; 0]);
}
