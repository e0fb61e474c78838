//! Several instances that share the work.

use crate::program::{Place, eventually};

const SHARED: &str = "deduplicate { enabled = true }
    template { contents = \"{{ range service `web` }}{{ .Port }} {{ end }}\" destination = \"out\" }";

/// A second instance works in a directory of its own, so that its file is its own.
fn second(first: &Place) -> Place {
    let mut second = Place::new();
    second.agent = first.agent.clone();
    second
}

#[test]
fn only_one_of_two_asks_and_the_other_takes_over_when_it_ends() {
    let one = Place::new();
    one.agent.service("web", &[1]);
    let two = second(&one);
    let (config_one, config_two) = (one.config(SHARED), two.config(SHARED));
    let first = one.start(&["-config", &config_one]);
    one.eventually_reads("out", "1 ");
    let other = two.start(&["-config", &config_two]);
    two.eventually_reads("out", "1 ");
    assert!(!two.read("log").contains("adding health.service"), "the data came from the first");
    one.agent.service("web", &[1, 2]);
    two.eventually_reads("out", "1 2 ");
    assert_eq!(one.agent.keys().iter().filter(|key| key.starts_with("consul-template/dedup/")).count(), 1);
    first.stop();
    eventually("the second takes over", || two.read("log").contains("adding health.service"));
    one.agent.service("web", &[3]);
    two.eventually_reads("out", "3 ");
    other.stop();
}

#[test]
fn a_lost_session_is_replaced_and_nothing_is_lost() {
    let place = Place::new();
    place.agent.service("web", &[1]);
    let config = place.config(&SHARED.replace("enabled = true", "ttl = \"2s\""));
    let program = place.start(&["-config", &config]);
    place.eventually_reads("out", "1 ");
    place.agent.end_sessions();
    place.agent.service("web", &[1, 2]);
    place.eventually_reads("out", "1 2 ");
    assert!(place.agent.requests("/v1/session/create") >= 2);
    program.stop();
}
