//! What the machine and its operators do to templates: commands that hang, disks that are full, sources with errors.

use std::fs;
use std::process::Command;

use consul_tests::{Setup, Templates, tools};

/// A small file system of its own, taken away when dropped.
struct Disk(String);

impl Disk {
    /// None, said as a skipped test, where it may not be made.
    fn of_64_kib(path: &str) -> Option<Self> {
        fs::create_dir_all(path).expect("the directory is ours");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs", path]).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(path.to_owned()));
        }
        tools::skip("file systems cannot be mounted here");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is yet to be killed may have files open in it.
        let _ = Command::new("umount").args(["-l", &self.0]).status();
    }
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_at_its_time_limit_and_said_so() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "fine").await.ok();
    let place = Templates::of(&agent);
    let mut program = place.configured(
        "template {\n contents = \"{{ key `a` }}\"\n destination = \"DIR/out\"\n exec {\n \
         command = \"grep -q fine DIR/out || sleep 600\"\n timeout = \"300ms\"\n }\n}",
    );
    place.logs("executing command").await;
    agent.put("/v1/kv/a", "bad").await.ok();
    assert_eq!(program.ends().await.code(), Some(14));
    assert!(place.log().contains("did not exit within time limit (\"300ms\")"), "{}", place.log());
    assert_eq!(place.read("out"), "bad", "the file was written before");
}

#[tokio::test]
async fn a_command_that_fails_ends_the_run_after_the_others_ran() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "fine").await.ok();
    let place = Templates::of(&agent);
    let mut program = place.configured(
        "template {\n contents = \"{{ key `a` }}\"\n destination = \"DIR/one\"\n command = \"grep -q fine DIR/one\"\n}\n\
         template {\n contents = \"{{ key `a` }}\"\n destination = \"DIR/two\"\n command = \"cat DIR/two >> DIR/ran\"\n}",
    );
    place.reads("ran", "fine").await;
    agent.put("/v1/kv/a", "bad").await.ok();
    assert_eq!(program.ends().await.code(), Some(14));
    assert!(place.log().contains("command exited with a non-zero exit status"), "{}", place.log());
    assert_eq!(place.read("ran"), "finebad");
}

#[tokio::test]
async fn a_check_keeps_a_file_out_that_its_program_would_refuse() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "fine").await.ok();
    let place = Templates::of(&agent);
    let program = place.configured(
        "template {\n contents = \"{{ key `a` }}\"\n destination = \"DIR/out\"\n check_command = \"grep -q fine {}\"\n \
         command = \"cat DIR/out >> DIR/ran\"\n}",
    );
    place.reads("ran", "fine").await;
    agent.put("/v1/kv/a", "bad").await.ok();
    place.logs("check_command objects").await;
    assert_eq!((place.read("out").as_str(), place.read("ran").as_str()), ("fine", "fine"));
    agent.put("/v1/kv/a", "fine again").await.ok();
    place.reads("ran", "finefine again").await;
    program.stop().await;
}

/// Everything in a directory, hidden or not.
fn names(place: &Templates, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(dir)).expect("the directory is ours");
    let mut names: Vec<_> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_full_disk_leaves_the_last_good_file_whole() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "small").await.ok();
    let place = Templates::of(&agent);
    let Some(_disk) = Disk::of_64_kib(&place.adapt("DIR/disk")) else { return };
    let config =
        "template {\n contents = \"{{ key `a` }}\"\n destination = \"DIR/disk/out\"\n error_fatal = false\n}";
    let mut program = place.configured(config);
    place.reads("disk/out", "small").await;
    agent.put("/v1/kv/a", "x".repeat(200_000)).await.ok();
    place.logs("no space left on device").await;
    assert!(program.is_running());
    assert_eq!(place.read("disk/out"), "small");
    assert_eq!(names(&place, "disk"), ["out"], "nothing half-written is left");
    agent.put("/v1/kv/a", "small again").await.ok();
    place.reads("disk/out", "small again").await;
    program.stop().await;

    // Unless it is said otherwise, this is the end.
    let mut program = place.configured(&config.replace("error_fatal = false", ""));
    agent.put("/v1/kv/a", "x".repeat(200_000)).await.ok();
    assert_eq!(program.ends().await.code(), Some(14));
    assert_eq!(place.read("disk/out"), "small again");
    assert_eq!(names(&place, "disk"), ["out"]);
}

#[tokio::test]
async fn a_destination_that_cannot_be_written_does_not_keep_others_from_being_written() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "1").await.ok();
    let place = Templates::of(&agent);
    place.write("file", "not a directory");
    fs::create_dir_all(place.path("taken/by")).expect("the directory is ours");
    let block = |destination: &str| {
        format!(
            "template {{\n contents = \"{{{{ key `a` }}}}\"\n destination = \"DIR/{destination}\"\n error_fatal = false\n}}\n"
        )
    };
    let config = [block("file/out"), block("taken"), block("fine")].concat();
    let mut program = place.configured(&config);
    place.reads("fine", "1").await;
    agent.put("/v1/kv/a", "2").await.ok();
    place.reads("fine", "2").await;
    for name in ["file/out", "taken"] {
        let route = place.adapt(&format!("error rendering \"(dynamic)\" => \"DIR/{name}\""));
        place.logs(&route).await;
    }
    assert!(program.is_running());
    assert_eq!(
        (place.read("file").as_str(), names(&place, "taken")),
        ("not a directory", vec!["by".to_owned()])
    );
    program.stop().await;

    let output = {
        place.write("conf/main.hcl", &config.replace("error_fatal = false", ""));
        place.finish(&["-config", "DIR/conf"]).await
    };
    assert_eq!(output.code, 14, "{}", output.all());
}

#[tokio::test]
async fn a_template_edited_into_an_error_and_back_never_costs_the_file() {
    let agent = Setup::dev("n1").start().await;
    agent.put("/v1/kv/a", "1").await.ok();
    let place = Templates::of(&agent);
    place.write("in", "a={{ key \"a\" }}\n");
    let mut program = place.start(&["-template", "DIR/in:DIR/out", "-status-file=DIR/status.json"]);
    place.reads("out", "a=1\n").await;
    // One that cannot be parsed: the old one is used on.
    place.write("in", "a={{ key \"a\" \n");
    place.logs("an edited template cannot be used").await;
    assert_eq!(place.read("out"), "a=1\n");
    agent.put("/v1/kv/a", "2").await.ok();
    place.reads("out", "a=2\n").await;
    // One that cannot be executed.
    place.write("in", "a={{ key \"a\" }}{{ index (split \",\" \"x\") 7 }}\n");
    place.logs("index out of range: 7").await;
    assert!(program.is_running(), "{}", place.log());
    assert_eq!(place.read("out"), "a=2\n");
    agent.put("/v1/kv/a", "3").await.ok();
    place.write("in", "now a={{ key \"a\" }}\n");
    place.reads("out", "now a=3\n").await;
    agent.put("/v1/kv/a", "4").await.ok();
    place.reads("out", "now a=4\n").await;
    assert!(place.status()["templates"][0]["last_error"].is_null(), "{}", place.status());
    program.stop().await;
}
