//! From data to files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;

use nix::sys::signal::Signal;

use crate::program::{Place, eventually, inode, text};

const KEY: &str = "template { contents = \"<{{ key `a` }}>\" destination = \"DIR/out\" }";

#[test]
fn once_renders_and_ends() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = place.config(KEY);
    let output = place.finish(&["-once", "-config", &config]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.read("out"), "<1>");
}

#[test]
fn once_waits_for_a_key_that_is_not_there_yet() {
    let place = Place::new();
    let config = place.config(KEY);
    let mut program = place.start(&["-once", "-config", &config]);
    eventually("the key is asked for", || place.agent.requests("/v1/kv/a") > 0);
    assert!(program.is_running() && !place.path("out").exists());
    place.agent.put("a", "1");
    assert_eq!(program.wait().code(), Some(0));
    assert_eq!(place.read("out"), "<1>");
}

#[test]
fn a_missing_key_can_be_an_error() {
    let place = Place::new();
    let config = place.config(&format!("err_on_failed_lookup = true\n{KEY}"));
    let output = place.finish(&["-once", "-config", &config]);
    assert_eq!(output.status.code(), Some(14));
    assert!(text(&output.stderr).contains("lookup error"));
}

#[test]
fn changes_are_followed_and_a_deleted_key_changes_nothing() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = place.config(KEY);
    let program = place.start(&["-config", &config]);
    place.eventually_reads("out", "<1>");
    place.agent.put("a", "2");
    place.eventually_reads("out", "<2>");
    let before = inode(&place.path("out"));
    place.agent.delete("a");
    place.agent.put("other", "x");
    place.agent.put("a", "2");
    place.agent.put("a", "3");
    place.eventually_reads("out", "<3>");
    assert_ne!(inode(&place.path("out")), before, "files are replaced, not written over");
    program.stop();
}

#[test]
fn services_are_discovered_and_share_one_watcher() {
    let place = Place::new();
    place.agent.service("web", &[80, 81]);
    place.agent.service("db", &[]);
    let list = "{{ range services }}{{ .Name }}:{{ range service .Name }}{{ .Port }},{{ else }}none{{ end }};{{ end }}";
    let config = place.config(&format!(
        "template {{ contents = \"{list}\" destination = \"DIR/one\" }}
         template {{ contents = \"2 {list}\" destination = \"DIR/two\" }}"
    ));
    let program = place.start(&["-config", &config]);
    place.eventually_reads("one", "db:none;web:80,81,;");
    place.eventually_reads("two", "2 db:none;web:80,81,;");
    place.agent.service("web", &[80]);
    place.eventually_reads("two", "2 db:none;web:80,;");
    program.stop();
    let asked = place.read("log").matches("adding health.service(web").count();
    assert_eq!(asked, 1);
}

#[test]
fn what_is_right_already_is_left_alone() {
    let place = Place::new();
    place.agent.put("a", "1");
    place.file("out", "<1>");
    fs::set_permissions(place.path("out"), fs::Permissions::from_mode(0o600)).unwrap();
    let before = inode(&place.path("out"));
    let config = place.config(&KEY.replace("destination", "command = \"touch DIR/ran\" destination"));
    assert!(place.finish(&["-once", "-config", &config]).status.success());
    assert_eq!(inode(&place.path("out")), before);
    assert!(!place.path("ran").exists());
    place.agent.put("a", "2");
    assert!(place.finish(&["-once", "-config", &config]).status.success());
    assert!(place.path("ran").exists());
    let mode = fs::metadata(place.path("out")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the mode is kept");
}

#[test]
fn dry_prints_and_writes_nothing() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = place.config(&KEY.replace("destination", "command = \"touch DIR/ran\" destination"));
    let output = place.finish(&["-once", "-dry", "-config", &config]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), format!("> {}\n<1>", place.path("out").display()));
    assert!(!place.path("out").exists() && !place.path("ran").exists());
}

#[test]
fn a_place_that_cannot_be_written_ends_the_run() {
    let place = Place::new();
    place.file("file", "");
    let config = place.config("template { contents = \"x\" destination = \"DIR/file/below\" }");
    let output = place.finish(&["-once", "-config", &config]);
    assert_eq!(output.status.code(), Some(14));
    let log = text(&output.stderr);
    assert!(
        log.contains("error rendering \"(dynamic)\" => ") && log.contains("failed reading file"),
        "{log}"
    );
    let config = place.config("template { contents = \"x\" }");
    let output = place.finish(&["-once", "-config", &config]);
    assert!(text(&output.stderr).contains("missing destination"));
}

#[test]
fn a_template_that_fails_ends_the_run_unless_it_may_fail() {
    let place = Place::new();
    place.agent.put("a", "[1");
    let template = "template { contents = \"{{ key `a` | parseJSON }}\" destination = \"DIR/out\" FATAL }\n\
                    template { contents = \"fine\" destination = \"DIR/fine\" }";
    let config = place.config(&template.replace("FATAL", ""));
    let output = place.finish(&["-config", &config]);
    assert_eq!(output.status.code(), Some(14));
    assert!(text(&output.stderr).contains("(dynamic): execute: template: :1:"), "{}", text(&output.stderr));

    let config = place.config(&template.replace("FATAL", "error_fatal = false"));
    let program = place.start(&["-config", &config]);
    place.eventually_reads("fine", "fine");
    eventually("the failure is logged", || place.read("log").contains("[ERR] (runner) (dynamic): execute:"));
    place.agent.put("a", "[1]");
    place.eventually_reads("out", "[1]");
    program.stop();
}

#[test]
fn later_changes_settle_first() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = place.config(&format!("wait {{ min = \"1s\" max = \"1h\" }}\n{KEY}"));
    let program = place.start(&["-config", &config]);
    place.eventually_reads("out", "<1>");
    place.agent.put("a", "2");
    eventually("the change is held back", || place.read("log").contains("waiting for the data to settle"));
    assert_eq!(place.read("out"), "<1>");
    place.eventually_reads("out", "<2>");
    program.stop();
}

#[test]
fn the_last_good_file_stays_while_the_agent_is_away() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config =
        place.config(&format!("consul {{ retry {{ attempts = 0 max_backoff = \"200ms\" }} }}\n{KEY}"));
    let program = place.start(&["-config", &config, "-status-file", "status.json"]);
    place.eventually_reads("out", "<1>");
    place.agent.set_down(true);
    eventually("the failure is logged", || place.read("log").contains("(retry attempt 2 after \"200ms\")"));
    assert_eq!(place.read("out"), "<1>");
    eventually("the status tells", || place.read("status.json").contains("kv.block(a) ("));
    place.agent.put("a", "2");
    place.agent.set_down(false);
    place.eventually_reads("out", "<2>");
    eventually("the status tells", || place.read("status.json").contains("\"waits_for\": []"));
    program.stop();
}

#[test]
fn retries_come_to_an_end() {
    let place = Place::new();
    place.agent.set_down(true);
    let config = place.config(&format!("consul {{ retry {{ attempts = 2 backoff = \"10ms\" }} }}\n{KEY}"));
    let output = place.finish(&["-config", &config]);
    assert_eq!(output.status.code(), Some(14));
    assert!(text(&output.stderr).contains("(exceeded maximum retries)"));
    let output = place.finish(&["-config", &config, "-consul-retry=false"]);
    assert_eq!(output.status.code(), Some(14));
    assert!(!text(&output.stderr).contains("retry attempt"));
}

#[test]
fn an_edited_template_is_taken_up_and_a_broken_edit_is_not() {
    let place = Place::new();
    place.agent.put("a", "1");
    let source = place.file("in.tmpl", "one {{ key `a` }}");
    let mut program = place.start(&["-template", &format!("{source}:out")]);
    place.eventually_reads("out", "one 1");
    place.file("in.tmpl", "two {{ key `a` }}");
    place.eventually_reads("out", "two 1");
    place.file("in.tmpl", "three {{ if }}");
    eventually("the mistake is logged", || place.read("log").contains("the last good one stays"));
    place.agent.put("a", "2");
    place.eventually_reads("out", "two 2");
    place.file("in.tmpl", "four {{ key `a` | parseJSON | index 5 }}");
    eventually("the failure is logged", || place.read("log").contains("execute: template"));
    assert!(program.is_running());
    assert_eq!(place.read("out"), "two 2");
    place.file("in.tmpl", "five {{ key `a` }}");
    place.eventually_reads("out", "five 2");
    program.stop();
}

#[test]
fn files_are_data_too() {
    let place = Place::new();
    place.file("data", "1");
    let config =
        place.config("template { contents = \"<{{ file `DIR/data` }}>\" destination = \"DIR/out\" }");
    let program = place.start(&["-config", &config]);
    place.eventually_reads("out", "<1>");
    place.file("data.new", "22");
    fs::rename(place.path("data.new"), place.path("data")).unwrap();
    place.eventually_reads("out", "<22>");
    program.stop();
    fs::remove_file(place.path("data")).unwrap();
    let output = place.finish(&["-once", "-config", &config]);
    assert_eq!(output.status.code(), Some(14));
    assert!(text(&output.stderr).contains("no such file or directory"));
}

#[test]
fn a_hangup_reads_everything_anew() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = place.config(&KEY.replace("destination", "command = \"echo ran >> DIR/ran\" destination"));
    let mut program = place.start(&["-config", &config]);
    place.eventually_reads("out", "<1>");
    place.eventually_reads("ran", "ran\n");
    place.config("template { contents = \"new {{ key `a` }}\" destination = \"DIR/new\" }");
    program.signal(Signal::SIGHUP);
    place.eventually_reads("new", "new 1");
    assert!(place.read("log").contains("Reloading configuration..."));
    assert_eq!(place.read("ran"), "ran\n", "what did not change runs no command");
    place.config("nope");
    program.signal(Signal::SIGHUP);
    assert_eq!(program.wait().code(), Some(15));
}

#[test]
fn a_term_does_not_end_it_an_interrupt_does() {
    let place = Place::new();
    let config =
        place.config("pid_file = \"DIR/pid\"\ntemplate { contents = \"x\" destination = \"DIR/out\" }");
    let mut program = place.start(&["-config", &config]);
    place.eventually_reads("out", "x");
    assert!(place.read("pid").parse::<u32>().is_ok());
    program.signal(Signal::SIGTERM);
    program.signal(Signal::SIGINT);
    assert_eq!(program.wait().code(), Some(12), "the first signal did nothing");
    assert!(!place.path("pid").exists());
    assert!(place.read("log").contains("Cleaning up..."));
    let mut program = place.start(&["-kill-signal=SIGTERM", "-config", &config]);
    eventually("it has started", || place.path("pid").exists());
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(12));
}

#[test]
fn service_managers_hear_when_all_is_rendered() {
    let place = Place::new();
    place.agent.put("a", "1");
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let config = place.config(KEY);
    let name = place.path("notify").display().to_string();
    let program = place.start_with(&["-config", &config], &[("NOTIFY_SOCKET", &name)]);
    let mut buffer = [0; 64];
    let len = socket.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"READY=1");
    assert_eq!(place.read("out"), "<1>");
    program.stop();
}

#[test]
fn handlebars_are_known_by_their_suffix() {
    let place = Place::new();
    place.agent.put("a", "1");
    place.agent.service("web", &[80, 81]);
    let source =
        place.file("in.hbs", "{{key \"a\"}}:{{#each (service \"web\")}}{{Address}}:{{Port}};{{/each}}");
    let output = place.finish(&["-once", "-template", &format!("{source}:result")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(place.read("result"), "1:10.0.0.1:80;10.0.0.1:81;");
}

#[test]
fn programs_that_templates_run_and_files_they_write() {
    let place = Place::new();
    place.agent.put("a", "value");
    let config = place.config(
        "template { contents = \"{{ plugin `echo` `said` (key `a`) }}{{ key `a` | writeToFile `DIR/side` `` `` `0640` }}\"
           destination = \"DIR/result\" }",
    );
    let output = place.finish(&["-once", "-config", &config]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(place.read("result"), "said value");
    assert_eq!(place.read("side"), "value");
    let mode = fs::metadata(place.path("side")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}
