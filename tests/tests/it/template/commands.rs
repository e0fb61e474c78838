//! What is done besides writing files: ending, printing, commands, a supervised program.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use consul_tests::{Setup, Templates, binary, tools};
use tempfile::TempDir;

use super::{deregister, register};

#[tokio::test]
async fn once_waits_for_what_is_missing_then_renders_and_ends() {
    let agent = Setup::dev("n1").start().await;
    let place = Templates::of(&agent);
    place.write("in", "{{ key \"late\" }} {{ range service \"web\" }}{{ .Port }}{{ else }}none{{ end }}\n");
    let mut program = place.start(&["-once", "-template", "DIR/in:DIR/out:echo ran >> DIR/ran"]);
    place.logs("kv.block(late)").await;
    assert!(program.is_running() && !place.path("out").exists());
    agent.put("/v1/kv/late", "there").await.ok();
    assert_eq!(program.ends().await.code(), Some(0), "{}", place.log());
    assert_eq!((place.read("out").as_str(), place.read("ran").as_str()), ("there none\n", "ran\n"));
    // Nothing changed, so nothing is written and nothing runs.
    place.finish(&["-once", "-template", "DIR/in:DIR/out:echo ran >> DIR/ran"]).await.ok();
    assert_eq!(place.read("ran"), "ran\n");
}

#[tokio::test]
async fn dry_prints_and_writes_nothing() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "1").await.ok();
    let place = Templates::of(&agent);
    place.write("in", "a={{ key \"a\" }}\n");
    let args = ["-once", "-dry", "-template", "DIR/in:DIR/out:touch DIR/ran"];
    let output = place.finish(&args).await.ok();
    assert_eq!(output.stdout, place.adapt("> DIR/out\na=1\n"));
    let program = place.start(&args[1..]);
    place.reads("printed", &place.adapt("> DIR/out\na=1\n")).await;
    agent.put("/v1/kv/a", "2").await.ok();
    place.reads("printed", &place.adapt("> DIR/out\na=1\n> DIR/out\na=2\n")).await;
    program.stop().await;
    assert!(!place.path("out").exists() && !place.path("ran").exists());
}

#[tokio::test]
async fn one_command_of_several_templates_runs_once_per_change() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "1").await.ok();
    let place = Templates::of(&agent);
    let block = |number: u8| {
        format!(
            "template {{\n contents = \"{number}: {{{{ key `a` }}}}\"\n destination = \"DIR/out{number}\"\n \
             command = \"cat DIR/out* >> DIR/ran; echo >> DIR/ran\"\n}}\n"
        )
    };
    let program = place.configured(&[block(1), block(2), block(3)].concat());
    place.reads("ran", "1: 12: 13: 1\n").await;
    agent.put("/v1/kv/a", "2").await.ok();
    place.reads("ran", "1: 12: 13: 1\n1: 22: 23: 2\n").await;
    program.stop().await;
    assert_eq!(place.read("ran"), "1: 12: 13: 1\n1: 22: 23: 2\n");
}

/// Notes its start with what was rendered, and what becomes of it.
const CHILD: &str = "trap 'echo hup >> DIR/child' HUP; trap 'echo end >> DIR/child; exit 0' INT; \
                     echo start $(cat DIR/out) >> DIR/child; while :; do sleep 0.05; done";

#[tokio::test]
async fn a_supervised_program_starts_with_the_first_file_and_anew_with_each_change() {
    let agent = Setup::dev("n1").start().await;
    let place = Templates::of(&agent);
    let template = "template { contents = \"{{ with service `web` }}{{ (index . 0).Port }}{{ end }}{{ key `a` }}\" \
                    destination = \"DIR/out\" }";
    let program = place.configured(&format!("{template}\nexec {{ command = \"{CHILD}\" }}"));
    place.logs("kv.block(a)").await;
    assert!(!place.path("child").exists());
    agent.put("/v1/kv/a", "x").await.ok();
    place.reads("child", "start x\n").await;
    register(&agent, "web", "web", 80, &[]).await;
    place.reads("child", "start x\nend\nstart 80x\n").await;
    deregister(&agent, "web").await;
    place.reads("child", "start x\nend\nstart 80x\nend\nstart x\n").await;
    program.stop().await;
    assert!(place.read("child").ends_with("start x\nend\n"), "it ends with its supervisor");
}

#[tokio::test]
async fn a_supervised_program_can_be_told_by_signal() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "1").await.ok();
    let place = Templates::of(&agent);
    let template = "template { contents = \"{{ key `a` }}\" destination = \"DIR/out\" }";
    let program =
        place.configured(&format!("{template}\nexec {{ command = \"{CHILD}\" reload_signal = \"SIGHUP\" }}"));
    place.reads("child", "start 1\n").await;
    agent.put("/v1/kv/a", "2").await.ok();
    place.reads("child", "start 1\nhup\n").await;
    program.stop().await;
    assert_eq!(place.read("child"), "start 1\nhup\nend\n");
}

#[tokio::test]
async fn the_exit_code_of_a_supervised_program_is_handed_on() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/code", "7").await.ok();
    let place = Templates::of(&agent);
    place.write("in", "{{ key \"code\" }}");
    let output = place.finish(&["-template", "DIR/in:DIR/out", "-exec", "exit $(cat DIR/out)"]).await;
    assert_eq!(output.code, 7, "{}", output.all());
}

#[tokio::test]
async fn the_agents_binary_acts_as_the_program_under_its_name() {
    if binary::is_reference() {
        return tools::skip("the program is a file of its own there");
    }
    let place = TempDir::with_prefix("consul-name-").expect("temporary files can be made");
    let link = place.path().join("consul-template");
    symlink(binary::consul(), &link).expect("the directory is ours");
    let template = place.path().join("a.tmpl");
    fs::write(&template, "{{ add 1 2 }}").expect("the directory is ours");
    let out = place.path().join("a");
    let words = format!("-template={}:{}", template.display(), out.display());
    let status = Command::new(&link).args(["-once", &words]).status().expect("it can be run");
    assert!(status.success());
    assert_eq!(fs::read_to_string(&out).expect("it was written"), "3");
}
