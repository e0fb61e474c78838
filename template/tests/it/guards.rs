//! What keeps the last good file in place, and what tells about it.

use crate::program::{Place, eventually, text};

const WEB: &str = "{{ range service `web` }}{{ .Port }} {{ end }}";

#[test]
fn too_few_instances_leave_the_file_as_it_is() {
    let place = Place::new();
    place.agent.service("web", &[1, 2, 3]);
    let config = place
        .config(&format!("template {{ contents = \"{WEB}\" destination = \"DIR/out\" min_instances = 2 }}"));
    let program = place.start(&["-config", &config, "-status-file", "status.json"]);
    place.eventually_reads("out", "1 2 3 ");
    place.agent.service("web", &[]);
    eventually("the reason is logged", || {
        place.read("log").contains("has 0 instances, fewer than min_instances = 2")
    });
    eventually("the status tells", || place.read("status.json").contains("min_instances = 2"));
    assert_eq!(place.read("out"), "1 2 3 ");
    place.agent.service("web", &[4, 5]);
    place.eventually_reads("out", "4 5 ");
    eventually("the status tells", || place.read("status.json").contains("\"last_error\": null"));
    program.stop();
}

#[test]
fn a_file_does_not_shrink_by_more_than_it_may() {
    let place = Place::new();
    place.agent.service("web", &[1, 2, 3, 4]);
    let config = place.config(&format!(
        "template {{ contents = \"{WEB}\" destination = \"DIR/out\" max_shrink = \"50%\" }}"
    ));
    let program = place.start(&["-config", &config]);
    place.eventually_reads("out", "1 2 3 4 ");
    place.agent.service("web", &[1]);
    eventually("the reason is logged", || place.read("log").contains("instances fall from 4 to 1"));
    assert_eq!(place.read("out"), "1 2 3 4 ");
    place.agent.service("web", &[1, 2]);
    place.eventually_reads("out", "1 2 ");
    program.stop();
}

#[test]
fn content_that_a_check_refuses_never_gets_to_its_place() {
    let place = Place::new();
    place.agent.put("a", "good 1");
    let config = place.config(
        r#"template {
            contents = "{{ key `a` }}"
            destination = "DIR/out"
            check_command = ["grep", "-q", "good", "{}"]
            command = "echo ran >> DIR/ran"
        }"#,
    );
    let program = place.start(&["-config", &config]);
    place.eventually_reads("ran", "ran\n");
    place.agent.put("a", "bad");
    eventually("the reason is logged", || place.read("log").contains("check_command objects"));
    assert_eq!((place.read("out"), place.read("ran")), ("good 1".to_owned(), "ran\n".to_owned()));
    place.agent.put("a", "good 2");
    place.eventually_reads("out", "good 2");
    program.stop();
    let left: Vec<_> =
        std::fs::read_dir(place.path("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".consul-template-")), "{left:?}");

    place.agent.put("a", "bad");
    let output = place.finish(&["-once", "-config", &config]);
    assert_eq!(output.status.code(), Some(14), "who waits for the end has to know");
    assert_eq!(place.read("out"), "good 2");
}

#[test]
fn an_explanation_tells_what_is_missing_and_touches_nothing() {
    let place = Place::new();
    place.agent.service("web", &[1]);
    let config = place.config(&format!(
        "template {{ contents = \"{WEB}{{{{ key `none` }}}}\" destination = \"DIR/out\" }}
         template {{ contents = \"x\" destination = \"DIR/fine\" command = \"touch DIR/ran\" }}"
    ));
    let output = place.finish(&["-explain", "-config", &config]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("health.service(web|passing)"), "{told}");
    assert!(told.contains("waits for:\n    kv.block(none) (does not exist)"), "{told}");
    assert!(told.contains("can be rendered"), "{told}");
    assert!(!place.path("out").exists() && !place.path("fine").exists() && !place.path("ran").exists());
}

#[test]
fn an_explanation_does_not_wait_for_an_agent_that_is_away() {
    let place = Place::new();
    place.agent.set_down(true);
    let config = place.config("template { contents = \"{{ key `a` }}\" destination = \"DIR/out\" }");
    let output = place.finish(&["-explain", "-config", &config]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("waits for:\n    kv.block(a) ("), "{}", text(&output.stdout));
}

#[test]
fn the_status_file_holds_times() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = place.config("status_file = \"DIR/status.json\"\ntemplate { contents = \"{{ key `a` }}\" destination = \"DIR/out\" }");
    assert!(place.finish(&["-once", "-config", &config]).status.success());
    let status: serde_json::Value = serde_json::from_str(&place.read("status.json")).unwrap();
    let template = &status["templates"][0];
    assert_eq!(template["rendered"], true);
    assert!(template["last_change"].is_string() && template["last_render"] == template["last_change"]);
    assert_eq!(template["depends_on"][0], "kv.block(a)");
    assert!(template["last_error"].is_null());
}
