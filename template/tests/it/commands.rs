//! Commands that run after a change.

use crate::program::{Place, text};

#[test]
fn one_command_of_two_templates_runs_once_after_both_files() {
    let place = Place::new();
    let config = place.config(
        r#"
        template { contents = "1" destination = "DIR/one" command = "cat DIR/one DIR/two >> DIR/ran" }
        template { contents = "2" destination = "DIR/two" command = "cat DIR/one DIR/two >> DIR/ran" }
        "#,
    );
    assert!(place.finish(&["-once", "-config", &config]).status.success());
    assert_eq!(place.read("ran"), "12");
    assert!(place.finish(&["-once", "-config", &config]).status.success());
    assert_eq!(place.read("ran"), "12", "nothing changed, nothing runs");
}

#[test]
fn a_command_that_fails_ends_the_run_after_the_others_ran() {
    let place = Place::new();
    let config = place.config(
        r#"
        template { contents = "1" destination = "DIR/one" command = ["false"] }
        template { contents = "2" destination = "DIR/two" command = "echo ran > DIR/ran" }
        template { contents = "3" destination = "DIR/three" command = ["no-such-program-anywhere"] }
        "#,
    );
    let output = place.finish(&["-config", &config]);
    assert_eq!(output.status.code(), Some(14));
    assert_eq!(place.read("ran"), "ran\n");
    let log = text(&output.stderr);
    assert!(log.contains(r#"failed to execute command "[\"false\"]" from "(dynamic)" => "#), "{log}");
    assert!(log.contains("command exited with a non-zero exit status"), "{log}");
    assert!(log.contains("executable file not found in $PATH"), "{log}");
}

#[test]
fn a_command_that_hangs_is_killed_with_what_it_started() {
    let place = Place::new();
    let config = place.config(
        r#"template {
            contents = "1"
            destination = "DIR/one"
            exec { command = "sleep 600 & echo $! > DIR/pid; wait" timeout = "300ms" }
        }"#,
    );
    let output = place.finish(&["-config", &config]);
    assert_eq!(output.status.code(), Some(14));
    assert!(
        text(&output.stderr).contains("did not exit within time limit (\"300ms\")"),
        "{}",
        text(&output.stderr)
    );
    let pid: i32 = place.read("pid").trim().parse().unwrap();
    crate::program::eventually("the grandchild is gone", || {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    });
}

#[test]
fn commands_get_the_environment_that_was_asked_for() {
    let place = Place::new();
    let config = place.config(
        r#"template {
            contents = "1"
            destination = "DIR/one"
            exec {
                command = "env > DIR/env"
                env { allowlist = ["PATH", "KEEP_*"] denylist = ["*_NOT"] custom = ["OWN=x=y"] }
            }
        }
        consul { token = "secret" }"#,
    );
    let env = [("KEEP_A", "1"), ("KEEP_NOT", "1"), ("DROP", "1")];
    let output = place.finish_with(&["-once", "-config", &config], &env);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let env = place.read("env");
    let has = |line: &str| env.lines().any(|known| known == line);
    assert!(
        has("KEEP_A=1") && has("OWN=x=y") && has("CONSUL_HTTP_TOKEN=secret") && has("CONSUL_HTTP_SSL=false"),
        "{env}"
    );
    assert!(!env.contains("KEEP_NOT") && !env.contains("DROP="), "{env}");
    assert!(!text(&output.stderr).contains("secret"));
}

#[test]
fn programs_are_found_even_if_they_get_no_environment() {
    let place = Place::new();
    let config = place.config(
        r#"template {
            contents = "1"
            destination = "DIR/one"
            exec { command = ["touch", "DIR/ran"] env { pristine = true } }
        }"#,
    );
    let output = place.finish(&["-once", "-config", &config]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(place.path("ran").exists());
}
