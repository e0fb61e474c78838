//! The shell around the core: it does what the core asks for and tells it what happens.

mod evaluate;
mod sources;
mod write;

use std::path::Path;
use std::sync::Arc;

use consul_api::client::Client;
use consul_template_functions::{Dependency, Template};
use nix::sys::signal::Signal;
use tokio::sync::mpsc;

use crate::brain::Memory;
use crate::config::{Settings, Source, TemplateSettings};
use crate::core::{Action, Core, End, Event, Mode, Now, Role, Rules};
use crate::dedup::{Dedup, Shared};
use crate::guard::Instances;
use crate::host::{self, PidFile};
use crate::process::{ChildReport, Orders, Supervisor};
use crate::signals::Signals;
use crate::source;
use crate::status::{Line, StatusFile};
use crate::watch::{Asking, Files, Fingerprint, News, Watchers};
use crate::words;

/// News that wait to be taken; beyond that, watchers wait.
const NEWS_MAX: usize = 256;

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Exit(i32),
    /// The configuration is to be read anew.
    Reload,
}

/// Exit codes that scripts know.
pub mod exit {
    pub const STOPPED: i32 = 12;
    pub const FLAGS: i32 = 13;
    pub const RUNNER: i32 = 14;
    pub const CONFIG: i32 = 15;
}

/// What else happens beside news of data.
enum Report {
    Child(ChildReport),
    /// The source of a template may have changed.
    Source(usize),
    Shared(Shared),
}

/// One template and what the shell keeps of it.
struct Loaded {
    settings: TemplateSettings,
    text: Vec<u8>,
    parsed: Result<Arc<Template>, String>,
    /// What the last evaluation found.
    instances: Instances,
    /// How many instances went into the file that is there.
    instances_written: Option<usize>,
}

impl Loaded {
    fn destination(&self) -> &Path {
        self.settings.destination.as_deref().unwrap_or(Path::new(""))
    }

    /// `"source" => "destination"`, as it stands in logs and errors.
    fn route(&self) -> String {
        format!("{:?} => {:?}", self.settings.source.to_string(), self.destination().display().to_string())
    }
}

/// One run: from one reading of the configuration to the next, or to the end.
pub struct Runner {
    settings: Settings,
    explain: bool,
    core: Core<Dependency>,
    templates: Vec<Loaded>,
    memory: Memory,
    watchers: Watchers,
    news: mpsc::Receiver<News>,
    reports: mpsc::UnboundedReceiver<Report>,
    report: mpsc::UnboundedSender<Report>,
    child: Option<Supervisor>,
    dedup: Option<Dedup>,
    status_file: Option<StatusFile>,
    _pid_file: Option<PidFile>,
    _sources: sources::Sources,
}

/// What came of an action.
enum Done {
    Nothing,
    Event(Box<Event<Dependency>>),
    End(End),
}

/// What a signal means to us.
enum Wish {
    Stop,
    Reload,
    Forward(Signal),
}

impl Runner {
    /// Reads the templates and opens what the settings name. Must be called inside the runtime.
    pub fn new(settings: Settings, explain: bool) -> Result<Self, String> {
        let client = Client::new(settings.client.clone())
            .map_err(|error| format!("runner: client set: consul: {error}"))?;
        let mut templates = Vec::with_capacity(settings.templates.len());
        let mut sources = Vec::with_capacity(settings.templates.len());
        for template in &settings.templates {
            sources.push(match &template.source {
                Source::File(path) => Some((path.clone(), Fingerprint::of(path).ok())),
                Source::Inline(_) => None,
            });
            let text = source::read(&template.source)?;
            let parsed = source::parse(template, &text);
            templates.push(Loaded {
                settings: template.clone(),
                text,
                parsed,
                instances: Instances::new(),
                instances_written: None,
            });
        }
        let pid_file = settings.pid_file.clone().filter(|_| !explain).map(PidFile::create).transpose()?;
        let (report, reports) = mpsc::unbounded_channel();
        let (sender, news) = mpsc::channel(NEWS_MAX);
        let files = Files::new();
        let asking = Asking {
            retry: settings.retry,
            max_stale: settings.max_stale,
            wait: settings.block_query_wait,
            connections: settings.connections,
        };
        let watchers = Watchers::new(client.clone(), asking, files.clone(), sender);
        let dedup = settings.deduplicate.as_ref().filter(|_| !explain).map(|dedup| {
            let report = report.clone();
            let send = move |shared| drop(report.send(Report::Shared(shared)));
            Dedup::start(client, dedup.clone(), &settings.templates, send)
        });
        let role = if dedup.is_some() { Role::Follower } else { Role::Alone };
        let rules = settings.templates.iter().map(|template| Rules {
            error_fatal: template.error_fatal,
            wait: template.wait,
            command: template.command.as_ref().map(|command| command.command.clone()),
            role,
        });
        let mode = Mode {
            once: settings.once && !explain,
            child: settings.exec.is_some() && !explain,
            err_on_failed_lookup: settings.err_on_failed_lookup && !explain,
            explain,
        };
        let core = Core::new(mode, rules.collect());
        let follows_sources = !mode.once && !explain;
        let sources = sources.into_iter().map(|source| source.filter(|_| follows_sources));
        let sources = sources::Sources::watch(sources, &files, &report);
        Ok(Self {
            explain,
            core,
            templates,
            memory: Memory::new(&settings.exported),
            watchers,
            news,
            reports,
            report,
            child: None,
            dedup,
            status_file: settings.status_file.clone().filter(|_| !explain).map(StatusFile::new),
            _pid_file: pid_file,
            _sources: sources,
            settings,
        })
    }

    /// Works until the end, a signal or a failure.
    pub async fn run(mut self, signals: &mut Signals) -> Verdict {
        loop {
            while let Ok(news) = self.news.try_recv() {
                self.note(news);
            }
            while let Ok(report) = self.reports.try_recv() {
                if let Some(verdict) = self.heard(report).await {
                    return verdict;
                }
            }
            while let Some(action) = self.core.next(Now::read()) {
                let orders = self.child.as_ref().map(Supervisor::orders);
                let (kill, reload) = (self.settings.kill_signal, self.settings.reload_signal);
                let interrupted = {
                    let work = self.perform(action);
                    tokio::pin!(work);
                    loop {
                        tokio::select! {
                            done = &mut work => break Ok(done),
                            signal = signals.next() => match wish(signal, kill, reload) {
                                Wish::Forward(signal) => forward(orders.as_ref(), signal),
                                wish => break Err(wish),
                            },
                        }
                    }
                };
                match interrupted {
                    Ok(Done::Nothing) => {}
                    Ok(Done::Event(event)) => self.core.handle(*event, Now::read()),
                    Ok(Done::End(end)) => return self.end(end, signals).await,
                    Err(wish) => return self.grant(&wish, signals).await,
                }
            }
            self.update_status();
            let wake_at = self.core.wake_at();
            tokio::select! {
                Some(news) = self.news.recv() => self.note(news),
                Some(report) = self.reports.recv() => {
                    if let Some(verdict) = self.heard(report).await {
                        return verdict;
                    }
                }
                signal = signals.next() => {
                    if let Some(wish) = self.heed(signal) {
                        return self.grant(&wish, signals).await;
                    }
                }
                () = sleep_until(wake_at) => {}
            }
        }
    }

    async fn perform(&mut self, action: Action<Dependency>) -> Done {
        match action {
            Action::Watch(dependency) => self.watchers.watch(dependency),
            Action::Unwatch(dependency) => self.watchers.unwatch(&dependency),
            Action::Forget(dependency) => {
                self.watchers.unwatch(&dependency);
                self.memory.forget(&dependency);
            }
            Action::Evaluate(template) => {
                let evaluation = self.evaluate(template).await;
                return Done::Event(Box::new(Event::Evaluated { template, evaluation }));
            }
            Action::Write { template, output } => {
                let outcome = self.write(template, &output).await;
                return Done::Event(Box::new(Event::Written { template, outcome }));
            }
            Action::RunCommands(templates) => {
                let failures = self.run_commands(&templates).await;
                return Done::Event(Box::new(Event::CommandsDone(failures)));
            }
            Action::Publish { template, dependencies } => {
                if let Some(dedup) = &self.dedup {
                    let known = dependencies.into_iter().filter_map(|dependency| {
                        let data = self.memory.get(&dependency)?.clone();
                        Some((dependency, data))
                    });
                    dedup.publish(template, known.collect());
                }
            }
            Action::Ready => host::notify_ready(),
            Action::StartChild => {
                if let Some(exec) = &self.settings.exec {
                    let report = self.report.clone();
                    let tell = move |last| drop(report.send(Report::Child(last)));
                    let exported = self.settings.exported.clone();
                    self.child = Some(Supervisor::start(exec.clone(), exported, tell));
                }
            }
            Action::ReloadChild => {
                if let Some(child) = &self.child {
                    child.reload();
                }
            }
            Action::PassDone => {}
            Action::End(end) => return Done::End(end),
        }
        Done::Nothing
    }

    fn note(&mut self, news: News) {
        let event = match news {
            News::Data(dependency, data) => {
                // An answer that was on its way when nobody wanted it any more.
                if !self.watchers.watches(&dependency) {
                    return;
                }
                self.memory.learn(dependency.clone(), data);
                Event::Data(dependency)
            }
            News::Answered(dependency) => Event::Answered(dependency),
            News::Absent(dependency) => Event::Absent(dependency),
            News::Failing(dependency, why) => Event::Failing { dependency, why },
            News::GaveUp(dependency, why) if self.explain => Event::Failing { dependency, why },
            News::GaveUp(dependency, why) => {
                tracing::error!(target: "runner", "watcher reported error: {why}");
                Event::GaveUp { dependency, why }
            }
        };
        self.core.handle(event, Now::read());
    }

    async fn heard(&mut self, report: Report) -> Option<Verdict> {
        match report {
            Report::Child(ChildReport::Exited(code)) => {
                tracing::info!(target: "runner", "child process exited");
                self.child = None;
                if code != 0 {
                    tracing::error!(target: "cli", "child process exited with code {code}");
                }
                return Some(Verdict::Exit(code));
            }
            Report::Child(ChildReport::CannotStart(error)) => {
                self.child = None;
                tracing::error!(target: "cli", "error executing command: {error}");
                return Some(Verdict::Exit(exit::RUNNER));
            }
            Report::Source(template) => self.source_changed(template),
            Report::Shared(Shared::Role { template, role }) => {
                self.core.handle(Event::Role { template, role }, Now::read());
            }
            Report::Shared(Shared::Data { template, data }) => {
                let mut is_news = false;
                for (dependency, data) in data {
                    if self.watchers.watches(&dependency) || self.memory.get(&dependency) == Some(&data) {
                        continue;
                    }
                    is_news = true;
                    self.memory.learn(dependency.clone(), data);
                    self.core.handle(Event::Data(dependency), Now::read());
                }
                if is_news {
                    self.core.handle(Event::Shared(template), Now::read());
                }
            }
        }
        None
    }

    async fn end(mut self, end: End, signals: &mut Signals) -> Verdict {
        self.update_status();
        match end {
            End::Finished => {
                if self.explain {
                    for line in self.status_lines() {
                        words::print(&line.explain());
                        words::print("\n");
                    }
                }
                Verdict::Exit(0)
            }
            End::Failed(why) => {
                tracing::error!(target: "cli", "{why}");
                self.stop_child(false).await;
                Verdict::Exit(exit::RUNNER)
            }
            End::WithChild => self.outlive_child(signals).await,
        }
    }

    /// Nothing is watched any more; the program's end is ours.
    /// What a signal asks of this program; those that ask nothing of it are the supervised program's.
    fn heed(&self, signal: Signal) -> Option<Wish> {
        match wish(signal, self.settings.kill_signal, self.settings.reload_signal) {
            Wish::Forward(signal) => {
                forward(self.child.as_ref().map(Supervisor::orders).as_ref(), signal);
                None
            }
            wish => Some(wish),
        }
    }

    async fn outlive_child(mut self, signals: &mut Signals) -> Verdict {
        loop {
            tokio::select! {
                Some(report) = self.reports.recv() => {
                    if matches!(report, Report::Child(_))
                        && let Some(verdict) = self.heard(report).await
                    {
                        return verdict;
                    }
                }
                signal = signals.next() => {
                    if let Some(wish) = self.heed(signal) {
                        return self.grant(&wish, signals).await;
                    }
                }
            }
        }
    }

    /// Does what a signal asked for.
    async fn grant(mut self, wish: &Wish, signals: &mut Signals) -> Verdict {
        if let Wish::Reload = wish {
            words::tell("Reloading configuration...");
            let kill = self.settings.kill_signal;
            let orders = self.child.as_ref().map(Supervisor::orders);
            let stopping = self.stop_child(true);
            tokio::pin!(stopping);
            loop {
                tokio::select! {
                    () = &mut stopping => return Verdict::Reload,
                    signal = signals.next() => if Some(signal) == kill { break },
                }
            }
            orders.iter().for_each(Orders::hurry);
            stopping.await;
        }
        words::tell("Cleaning up...");
        tracing::info!(target: "runner", "received finish");
        self.stop_child(false).await;
        if let Some(dedup) = self.dedup.take() {
            dedup.stop().await;
        }
        Verdict::Exit(exit::STOPPED)
    }

    async fn stop_child(&mut self, splay: bool) {
        if let Some(child) = self.child.take() {
            child.stop(splay).await;
        }
    }

    fn status_lines(&self) -> Vec<Line> {
        let lines = self.templates.iter().zip(self.core.status());
        lines.map(|(template, status)| Line::new(&template.settings, status)).collect()
    }

    fn update_status(&mut self) {
        if self.status_file.is_none() {
            return;
        }
        let lines = self.status_lines();
        if let Some(file) = &mut self.status_file {
            tokio::task::block_in_place(|| file.update(lines));
        }
    }
}

fn wish(signal: Signal, kill: Option<Signal>, reload: Option<Signal>) -> Wish {
    match Some(signal) {
        signal if signal == reload => Wish::Reload,
        signal if signal == kill => Wish::Stop,
        _ => Wish::Forward(signal),
    }
}

/// Without a program there is nobody whom the signal could mean.
fn forward(orders: Option<&Orders>, signal: Signal) {
    if let Some(orders) = orders {
        orders.forward(signal);
    }
}

async fn sleep_until(when: Option<std::time::Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}
