use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::config::{CommandWords, Wait};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dep(&'static str);

impl std::fmt::Display for Dep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Ask for Dep {
    fn is_shareable(&self) -> bool {
        !self.0.starts_with("file")
    }
}

fn rules() -> Rules {
    Rules { error_fatal: true, wait: None, command: None, role: Role::Alone }
}

fn with_command(command: &str) -> Rules {
    Rules { command: Some(CommandWords(vec![command.to_owned()])), ..rules() }
}

/// A core with a clock that stands still until it is moved, and a log of what it asked for.
struct Rig {
    core: Core<Dep>,
    now: Now,
}

impl Rig {
    fn new(mode: Mode, rules: Vec<Rules>) -> Self {
        Self { core: Core::new(mode, rules), now: Now::read() }
    }

    fn pass_time(&mut self, seconds: f64) {
        self.now.mono += Duration::from_secs_f64(seconds);
    }

    fn tell(&mut self, event: Event<Dep>) {
        self.core.handle(event, self.now);
    }

    /// What is asked for until it has to be answered or there is nothing; ends of passes are left out.
    fn asked(&mut self) -> Vec<Action<Dep>> {
        let mut asked = Vec::new();
        while let Some(action) = self.core.next(self.now) {
            if action != Action::PassDone {
                asked.push(action);
            }
            assert!(asked.len() < 1000, "endless work");
        }
        asked
    }

    fn evaluated(&mut self, template: usize, used: &[&'static str], missing: &[&'static str], output: &str) {
        self.outcome(template, used, missing, Ok(output.as_bytes().to_vec()));
    }

    fn outcome(
        &mut self,
        template: usize,
        used: &[&'static str],
        missing: &[&'static str],
        output: Result<Vec<u8>, String>,
    ) {
        let set = |names: &[&'static str]| names.iter().map(|name| Dep(name)).collect::<BTreeSet<_>>();
        let evaluation = Evaluation { used: set(used), missing: set(missing), output };
        self.tell(Event::Evaluated { template, evaluation });
    }

    fn written(&mut self, template: usize) {
        self.tell(Event::Written { template, outcome: Written::Changed { run_command: true } });
    }

    /// Brings one template that uses `used` to its first rendering.
    fn render_first(&mut self, template: usize, used: &[&'static str]) {
        assert!(self.asked().ends_with(&[Action::Evaluate(template)]));
        self.evaluated(template, used, &[], "first");
        let asked = self.asked();
        assert!(asked.ends_with(&[write(template, "first")]), "{asked:?}");
        self.written(template);
    }
}

fn write(template: usize, output: &str) -> Action<Dep> {
    Action::Write { template, output: output.as_bytes().to_vec() }
}

fn watch(name: &'static str) -> Action<Dep> {
    Action::Watch(Dep(name))
}

fn failed(why: &str) -> Action<Dep> {
    Action::End(End::Failed(why.to_owned()))
}

fn waits(min: u64, max: u64) -> Rules {
    let wait = Wait::new(Duration::from_secs(min), Some(Duration::from_secs(max))).unwrap();
    Rules { wait: Some(wait), ..rules() }
}

#[test]
fn nothing_is_written_before_everything_asked_for_is_there() {
    let mut rig = Rig::new(Mode::default(), vec![rules()]);
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["services"], &["services"], "");
    assert_eq!(rig.asked(), [watch("services")]);
    rig.tell(Event::Data(Dep("services")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["services", "web"], &["web"], "x");
    assert_eq!(rig.asked(), [watch("web")], "a further dependency is found with the data of the first");
    rig.tell(Event::Data(Dep("web")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["services", "web"], &[], "xy");
    assert_eq!(rig.asked(), [write(0, "xy")]);
    rig.written(0);
    assert_eq!(rig.asked(), [Action::Ready]);
}

#[test]
fn a_file_that_could_not_be_written_is_tried_again_although_nothing_changes() {
    let mut rig = Rig::new(Mode::default(), vec![Rules { error_fatal: false, ..rules() }]);
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &[], &[], "x");
    assert_eq!(rig.asked(), [write(0, "x")]);
    rig.tell(Event::Written { template: 0, outcome: Written::Failed("no space".to_owned()) });
    assert!(!rig.asked().contains(&Action::Evaluate(0)), "at once would be a busy loop");
    let due = rig.core.wake_at().expect("it is to be tried again");
    rig.pass_time((due - rig.now.mono).as_secs_f64());
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &[], &[], "x");
    assert_eq!(rig.asked(), [write(0, "x")]);
    rig.written(0);
    assert_eq!((rig.asked(), rig.core.wake_at()), (vec![Action::Ready], None));
}

#[test]
fn two_templates_share_one_watcher_and_only_those_concerned_are_evaluated() {
    let mut rig = Rig::new(Mode::default(), vec![rules(), rules()]);
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["a"], &["a"], "");
    assert_eq!(rig.asked(), [watch("a"), Action::Evaluate(1)]);
    rig.evaluated(1, &["a", "b"], &["a", "b"], "");
    assert_eq!(rig.asked(), [watch("b")]);
    rig.tell(Event::Data(Dep("b")));
    assert_eq!(rig.asked(), [Action::Evaluate(1)]);
    rig.evaluated(1, &["a", "b"], &["a"], "");
    rig.tell(Event::Data(Dep("a")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
}

#[test]
fn what_no_template_uses_any_more_is_forgotten() {
    let mut rig = Rig::new(Mode::default(), vec![rules()]);
    rig.render_first(0, &["services", "web"]);
    assert_eq!(rig.asked(), [Action::Ready]);
    rig.tell(Event::Data(Dep("services")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["services"], &[], "second");
    assert_eq!(rig.asked(), [write(0, "second")]);
    rig.written(0);
    assert_eq!(rig.asked(), [Action::Forget(Dep("web"))]);
    rig.tell(Event::Data(Dep("web")));
    assert_eq!(rig.asked(), [], "an answer on its way changes nothing");
}

#[test]
fn one_command_of_several_templates_runs_once_and_after_all_files_are_written() {
    let mut rig = Rig::new(
        Mode::default(),
        vec![with_command("reload"), with_command("other"), with_command("reload")],
    );
    for template in 0..3 {
        assert_eq!(rig.asked(), [Action::Evaluate(template)]);
        rig.evaluated(template, &[], &[], "x");
        assert_eq!(rig.asked(), [write(template, "x")]);
        rig.written(template);
    }
    assert_eq!(rig.asked(), [Action::RunCommands(vec![0, 1])]);
    rig.tell(Event::CommandsDone(vec!["the first failed".into(), "the second too".into()]));
    assert_eq!(rig.asked(), [failed("the first failed\nthe second too")]);
}

#[test]
fn a_file_that_is_right_already_runs_no_command() {
    let mut rig = Rig::new(Mode { once: true, ..Mode::default() }, vec![with_command("reload")]);
    rig.asked();
    rig.evaluated(0, &[], &[], "x");
    rig.asked();
    rig.tell(Event::Written { template: 0, outcome: Written::Unchanged });
    assert_eq!(rig.asked(), [Action::Ready, Action::End(End::Finished)]);
}

#[test]
fn the_first_rendering_does_not_wait_and_later_ones_settle() {
    let mut rig = Rig::new(Mode::default(), vec![waits(1, 3)]);
    rig.render_first(0, &["a"]);
    rig.asked();
    let start = rig.now.mono;
    for step in 0..5 {
        rig.tell(Event::Data(Dep("a")));
        assert_eq!(rig.asked(), [Action::Evaluate(0)]);
        rig.evaluated(0, &["a"], &[], &format!("v{step}"));
        assert_eq!(rig.asked(), []);
        let due = (rig.now.mono + Duration::from_secs(1)).min(start + Duration::from_secs(3));
        assert_eq!(rig.core.wake_at(), Some(due), "after {step} changes");
        rig.pass_time(0.5);
    }
    assert_eq!(rig.asked(), [], "not yet");
    rig.pass_time(0.5);
    assert_eq!(rig.asked(), [write(0, "v4")], "the longer wait is over");
    rig.written(0);
    assert_eq!(rig.asked(), []);
    assert_eq!(rig.core.wake_at(), None);
    rig.pass_time(60.0);
    rig.tell(Event::Data(Dep("a")));
    rig.asked();
    rig.evaluated(0, &["a"], &[], "v5");
    assert_eq!(rig.core.wake_at(), Some(rig.now.mono + Duration::from_secs(1)), "a fresh timer");
}

#[test]
fn a_template_that_settles_does_not_hold_up_another() {
    let mut rig = Rig::new(Mode::default(), vec![waits(5, 20), rules()]);
    rig.asked();
    rig.evaluated(0, &["a"], &[], "x");
    rig.asked();
    rig.written(0);
    rig.render_first(1, &["a"]);
    rig.asked();
    rig.tell(Event::Data(Dep("a")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["a"], &[], "y");
    assert_eq!(rig.asked(), [Action::Evaluate(1)]);
    rig.evaluated(1, &["a"], &[], "y");
    assert_eq!(rig.asked(), [write(1, "y")]);
    assert_eq!(rig.core.status()[0].waits_for, ["the data to settle"]);
}

#[test]
fn data_that_goes_missing_while_it_settles_is_not_written() {
    let mut rig = Rig::new(Mode::default(), vec![waits(1, 3)]);
    rig.render_first(0, &["a"]);
    rig.asked();
    rig.tell(Event::Data(Dep("a")));
    rig.asked();
    rig.evaluated(0, &["a"], &[], "held");
    rig.asked();
    rig.tell(Event::Data(Dep("a")));
    rig.asked();
    rig.evaluated(0, &["a", "b"], &["b"], "");
    assert_eq!(rig.asked(), [watch("b")]);
    rig.pass_time(10.0);
    assert_eq!(rig.asked(), []);
}

#[test]
fn a_failure_while_data_is_missing_is_not_final() {
    let mut rig = Rig::new(Mode::default(), vec![rules()]);
    rig.asked();
    rig.outcome(0, &["a"], &["a"], Err("index out of range".into()));
    assert_eq!(rig.asked(), [watch("a")]);
    rig.tell(Event::Data(Dep("a")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.outcome(0, &["a"], &[], Err("index out of range".into()));
    assert_eq!(rig.asked(), [failed("index out of range")]);
}

#[test]
fn a_failure_that_is_not_fatal_keeps_watching_what_was_good() {
    let mut rig = Rig::new(Mode::default(), vec![Rules { error_fatal: false, ..rules() }]);
    rig.render_first(0, &["a", "b"]);
    rig.asked();
    rig.tell(Event::Data(Dep("a")));
    rig.asked();
    rig.outcome(0, &["a"], &[], Err("bad".into()));
    assert_eq!(rig.asked(), []);
    assert_eq!(rig.core.status()[0].last_error.as_deref(), Some("bad"));
    rig.tell(Event::Data(Dep("b")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["a", "b"], &[], "good");
    rig.asked();
    rig.written(0);
    assert_eq!(rig.core.status()[0].last_error, None);
}

#[test]
fn an_edit_that_fails_keeps_the_last_good_output() {
    let mut rig = Rig::new(Mode::default(), vec![rules()]);
    rig.render_first(0, &["a"]);
    rig.asked();
    rig.tell(Event::Broken { template: 0, why: "unexpected EOF".into() });
    assert_eq!(rig.asked(), []);
    assert_eq!(rig.core.status()[0].last_error.as_deref(), Some("unexpected EOF"));
    rig.tell(Event::Edited(0));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.outcome(0, &["a"], &[], Err("no such field".into()));
    assert_eq!(rig.asked(), [], "an edit never ends a run that was good");
    rig.tell(Event::Edited(0));
    rig.asked();
    rig.evaluated(0, &["a"], &[], "good again");
    assert_eq!(rig.asked(), [write(0, "good again")]);
}

#[test]
fn the_supervised_program_starts_when_all_is_rendered_and_hears_of_later_changes_once_per_pass() {
    let mut rig = Rig::new(Mode { child: true, ..Mode::default() }, vec![rules(), rules()]);
    rig.asked();
    rig.evaluated(0, &["a"], &[], "x");
    rig.asked();
    rig.written(0);
    rig.render_first(1, &["a"]);
    assert_eq!(rig.asked(), [Action::Ready, Action::StartChild]);
    rig.tell(Event::Data(Dep("a")));
    rig.asked();
    rig.evaluated(0, &["a"], &[], "y");
    rig.asked();
    rig.written(0);
    rig.asked();
    rig.evaluated(1, &["a"], &[], "y");
    rig.asked();
    rig.written(1);
    assert_eq!(rig.asked(), [Action::ReloadChild]);
}

#[test]
fn once_with_a_program_ends_with_the_program() {
    let mut rig = Rig::new(Mode { once: true, child: true, ..Mode::default() }, vec![]);
    assert_eq!(rig.asked(), [Action::Ready, Action::StartChild, Action::End(End::WithChild)]);
}

#[test]
fn no_templates_is_no_work() {
    let mut rig = Rig::new(Mode { once: true, ..Mode::default() }, vec![]);
    assert_eq!(rig.asked(), [Action::Ready, Action::End(End::Finished)]);
    let mut rig = Rig::new(Mode::default(), vec![]);
    assert_eq!(rig.asked(), [Action::Ready]);
    assert_eq!(rig.asked(), []);
}

#[test]
fn a_guard_keeps_the_last_good_file_and_the_next_data_is_tried_again() {
    let mut rig = Rig::new(Mode::default(), vec![with_command("reload")]);
    rig.render_first(0, &["a"]);
    rig.asked();
    rig.tell(Event::CommandsDone(vec![]));
    rig.asked();
    rig.tell(Event::Data(Dep("a")));
    rig.asked();
    rig.evaluated(0, &["a"], &[], "bad");
    rig.asked();
    let refused = |may_change| Written::Refused { why: "too few".into(), has_old: true, may_change };
    rig.tell(Event::Written { template: 0, outcome: refused(true) });
    assert_eq!(rig.asked(), [], "no command");
    assert_eq!(rig.core.status()[0].last_error.as_deref(), Some("too few"));
    rig.tell(Event::Data(Dep("a")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);

    let mut once = Rig::new(Mode { once: true, ..Mode::default() }, vec![rules()]);
    once.asked();
    once.evaluated(0, &["a"], &[], "bad");
    once.asked();
    once.tell(Event::Written { template: 0, outcome: refused(true) });
    assert_eq!(once.asked(), [], "other data may come");
    once.tell(Event::Data(Dep("a")));
    once.asked();
    once.evaluated(0, &["a"], &[], "bad");
    once.asked();
    once.tell(Event::Written { template: 0, outcome: refused(false) });
    assert_eq!(once.asked(), [failed("too few")]);
}

#[test]
fn a_key_that_does_not_exist_is_waited_for_unless_that_is_an_error() {
    let mut rig = Rig::new(Mode::default(), vec![rules()]);
    rig.asked();
    rig.evaluated(0, &["key"], &["key"], "");
    rig.asked();
    rig.tell(Event::Absent(Dep("key")));
    assert_eq!(rig.asked(), []);
    assert_eq!(rig.core.status()[0].waits_for, ["key (does not exist)"]);

    let mode = Mode { err_on_failed_lookup: true, ..Mode::default() };
    let mut strict = Rig::new(mode, vec![rules()]);
    strict.asked();
    strict.evaluated(0, &["key"], &["key"], "");
    strict.asked();
    strict.tell(Event::Absent(Dep("key")));
    assert_eq!(strict.asked(), [failed("key: lookup error: there is no such key")]);
}

#[test]
fn an_agent_that_stays_away_ends_the_run_only_when_retries_are_used_up() {
    let mut rig = Rig::new(Mode::default(), vec![rules()]);
    rig.render_first(0, &["a"]);
    rig.asked();
    rig.tell(Event::Failing { dependency: Dep("a"), why: "connection refused".into() });
    assert_eq!(rig.asked(), []);
    assert_eq!(rig.core.status()[0].waits_for, ["a (connection refused)"]);
    rig.tell(Event::Answered(Dep("a")));
    assert!(rig.core.status()[0].waits_for.is_empty());
    rig.tell(Event::GaveUp { dependency: Dep("a"), why: "gave up".into() });
    assert_eq!(rig.asked(), [failed("gave up")]);
}

#[test]
fn followers_watch_only_what_cannot_be_shared() {
    let mut rig = Rig::new(Mode::default(), vec![Rules { role: Role::Follower, ..rules() }]);
    rig.asked();
    rig.evaluated(0, &["a", "file x"], &["a", "file x"], "");
    assert_eq!(rig.asked(), [watch("file x")]);
    rig.tell(Event::Shared(0));
    rig.tell(Event::Data(Dep("file x")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["a", "file x"], &[], "out");
    assert_eq!(rig.asked(), [write(0, "out")]);
    rig.written(0);
    rig.asked();
    rig.tell(Event::Role { template: 0, role: Role::Leader });
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["a", "file x"], &[], "out");
    let publish = Action::Publish { template: 0, dependencies: vec![Dep("a")] };
    assert_eq!(rig.asked(), [watch("a"), publish, write(0, "out")]);
}

#[test]
fn a_leader_that_becomes_a_follower_stops_watching_but_keeps_its_data() {
    let mut rig = Rig::new(Mode::default(), vec![Rules { role: Role::Leader, ..rules() }]);
    rig.asked();
    rig.evaluated(0, &["a"], &["a"], "");
    assert_eq!(rig.asked(), [watch("a")]);
    rig.tell(Event::Role { template: 0, role: Role::Follower });
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["a"], &[], "out");
    assert_eq!(rig.asked(), [write(0, "out")]);
    rig.written(0);
    assert_eq!(rig.asked(), [Action::Unwatch(Dep("a")), Action::Ready]);
}

#[test]
fn an_explanation_ends_when_everything_was_answered_and_writes_nothing() {
    let mode = Mode { explain: true, ..Mode::default() };
    let mut rig = Rig::new(mode, vec![rules()]);
    rig.asked();
    rig.evaluated(0, &["a", "b"], &["a", "b"], "");
    rig.asked();
    rig.tell(Event::Absent(Dep("a")));
    assert_eq!(rig.asked(), []);
    rig.tell(Event::Data(Dep("b")));
    assert_eq!(rig.asked(), [Action::Evaluate(0)]);
    rig.evaluated(0, &["a", "b", "c"], &["a", "c"], "");
    assert_eq!(rig.asked(), [watch("c")]);
    rig.tell(Event::Failing { dependency: Dep("c"), why: "refused".into() });
    assert_eq!(rig.asked(), [Action::End(End::Finished)]);
    let status = &rig.core.status()[0];
    assert_eq!(status.depends_on, ["a", "b", "c"]);
    assert_eq!(status.waits_for, ["a (does not exist)", "c (refused)"]);
}

#[test]
fn nothing_happens_after_the_end() {
    let mut rig = Rig::new(Mode::default(), vec![rules()]);
    rig.asked();
    rig.outcome(0, &[], &[], Err("bad".into()));
    assert_eq!(rig.asked(), [failed("bad")]);
    rig.tell(Event::Edited(0));
    rig.tell(Event::GaveUp { dependency: Dep("a"), why: "x".into() });
    assert_eq!(rig.asked(), []);
}
