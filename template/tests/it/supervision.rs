//! The program that we supervise.

use nix::sys::signal::Signal;

use crate::program::{Place, eventually};

const KEY: &str = "template { contents = \"{{ key `a` }}\" destination = \"DIR/out\" }\n";
/// Notes that it runs, and which signals it gets.
const CHILD: &str = "trap 'echo usr1 >> DIR/child' USR1; trap 'echo end >> DIR/child; exit 0' INT; \
                     echo start >> DIR/child; while :; do sleep 0.05; done";

fn config(place: &Place, settings: &str) -> String {
    place.config(&format!("{KEY} exec {{ command = \"{CHILD}\" {settings} }}"))
}

#[test]
fn it_starts_when_all_is_rendered_and_is_restarted_on_a_change() {
    let place = Place::new();
    let config = config(&place, "");
    let program = place.start(&["-config", &config]);
    eventually("the key is asked for", || place.agent.requests("/v1/kv/a") > 0);
    assert!(!place.path("child").exists());
    place.agent.put("a", "1");
    place.eventually_reads("child", "start\n");
    place.agent.put("a", "2");
    place.eventually_reads("child", "start\nend\nstart\n");
    program.stop();
    assert_eq!(place.read("child"), "start\nend\nstart\nend\n", "it ends with us");
}

#[test]
fn it_can_be_signalled_instead_and_gets_signals_that_mean_nothing_to_us() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = config(&place, "reload_signal = \"SIGUSR1\"");
    let program = place.start(&["-config", &config]);
    place.eventually_reads("child", "start\n");
    place.agent.put("a", "2");
    place.eventually_reads("child", "start\nusr1\n");
    program.signal(Signal::SIGUSR1);
    place.eventually_reads("child", "start\nusr1\nusr1\n");
    program.stop();
}

#[test]
fn its_exit_code_is_ours() {
    let place = Place::new();
    assert_eq!(place.finish(&["-exec", "exit 7; true"]).status.code(), Some(7));
    assert_eq!(place.finish(&["-once", "-exec", "sleep 0.1; exit 3"]).status.code(), Some(3));
    assert_eq!(place.finish(&["-exec", "kill -9 $$; true"]).status.code(), Some(255));
    assert_eq!(place.finish(&["-exec", "no-such-program-anywhere"]).status.code(), Some(14));
}

#[test]
fn one_that_does_not_end_is_killed() {
    let place = Place::new();
    let child = "trap '' INT; echo start >> DIR/child; while :; do sleep 0.05; done";
    let config = place.config(&format!("exec {{ command = \"{child}\" kill_timeout = \"200ms\" }}"));
    let program = place.start(&["-config", &config]);
    place.eventually_reads("child", "start\n");
    program.stop();
    assert!(place.read("log").contains("is killed"));
}

#[test]
fn a_reload_starts_it_anew() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = config(&place, "");
    let program = place.start(&["-config", &config]);
    place.eventually_reads("child", "start\n");
    program.signal(Signal::SIGHUP);
    place.eventually_reads("child", "start\nend\nstart\n");
    program.stop();
}

#[test]
fn an_interrupt_cuts_the_splay_of_a_reload_short() {
    let place = Place::new();
    place.agent.put("a", "1");
    let config = config(&place, "splay = \"1000h\"");
    let mut program = place.start(&["-config", &config]);
    place.eventually_reads("child", "start\n");
    program.signal(Signal::SIGHUP);
    eventually("the reload is under way", || place.read("log").contains("Reloading configuration..."));
    program.signal(Signal::SIGINT);
    assert_eq!(program.wait().code(), Some(12));
    assert_eq!(place.read("child"), "start\nend\n");
}
