//! The program that runs as long as we do: started when all templates are rendered, told of changes, ended with us.
//!
//! It lives in a task of its own, because each of these may take as long as its splay and its kill timeout, and
//! nothing else must wait for that.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::command::{CommandError, prepare, send, start};
use crate::config::{ExecSettings, Exported, Reload};

/// What the supervisor says.
#[derive(Debug)]
pub enum ChildReport {
    /// It ended by itself, with this code; -1 if by a signal.
    Exited(i32),
    CannotStart(CommandError),
}

#[derive(Debug)]
enum Order {
    Reload,
    Forward(Signal),
    Stop { splay: bool, done: oneshot::Sender<()> },
}

/// A handle on the program.
pub struct Supervisor {
    orders: Orders,
    task: JoinHandle<()>,
}

/// Gives orders to the program's supervisor. One that nobody takes any more was given too late to matter.
#[derive(Clone)]
pub struct Orders(mpsc::UnboundedSender<Order>);

impl Orders {
    /// Passes on a signal that we got.
    pub fn forward(&self, signal: Signal) {
        let _ = self.0.send(Order::Forward(signal));
    }

    /// Cuts short the splay that the end of the program waits for.
    pub fn hurry(&self) {
        let (done, _) = oneshot::channel();
        let _ = self.0.send(Order::Stop { splay: false, done });
    }
}

impl Supervisor {
    /// Starts the program.
    pub fn start(
        settings: ExecSettings,
        exported: Exported,
        report: impl FnOnce(ChildReport) + Send + 'static,
    ) -> Self {
        let (sender, inbox) = mpsc::unbounded_channel();
        let orders = Orders(sender);
        let nurse = Nurse { settings, exported, inbox, stopping: None };
        let task = tokio::spawn(async move {
            if let Some(last) = nurse.live().await {
                report(last);
            }
        });
        Self { orders, task }
    }

    /// Tells the program of a change.
    pub fn reload(&self) {
        let _ = self.orders.0.send(Order::Reload);
    }

    pub fn orders(&self) -> Orders {
        self.orders.clone()
    }

    /// Ends the program and returns when it is gone.
    pub async fn stop(self, splay: bool) {
        let (done, gone) = oneshot::channel();
        let _ = self.orders.0.send(Order::Stop { splay, done });
        let _ = gone.await;
        let _ = self.task.await;
    }
}

struct Nurse {
    settings: ExecSettings,
    exported: Exported,
    inbox: mpsc::UnboundedReceiver<Order>,
    /// Who waits for the end.
    stopping: Option<oneshot::Sender<()>>,
}

/// What came of a pause.
enum Pause {
    Over,
    /// Time to end instead.
    Stop,
}

impl Nurse {
    /// Until the program ends by itself, or has to.
    async fn live(mut self) -> Option<ChildReport> {
        let mut child = match self.spawn() {
            Ok(child) => child,
            Err(error) => return Some(ChildReport::CannotStart(error)),
        };
        loop {
            let order = tokio::select! {
                status = child.wait() => return Some(exited(status)),
                order = self.inbox.recv() => order,
            };
            match order {
                // The runner is gone, which leaves nobody to end the program later.
                None => {
                    let _ = self.end(&mut child).await;
                    return None;
                }
                Some(Order::Reload) => match self.settings.reload {
                    Reload::Nothing => {}
                    Reload::Signal(signal) => {
                        if let Pause::Stop = self.splay().await {
                            let _ = self.end(&mut child).await;
                            return None;
                        }
                        self.send(&child, signal);
                    }
                    Reload::Restart => {
                        let pause = self.splay().await;
                        let _ = self.end(&mut child).await;
                        if let Pause::Stop = pause {
                            return None;
                        }
                        child = match self.spawn() {
                            Ok(child) => child,
                            Err(error) => return Some(ChildReport::CannotStart(error)),
                        };
                    }
                },
                Some(Order::Forward(signal)) if Some(signal) == self.settings.kill_signal => {
                    return Some(exited(self.end(&mut child).await));
                }
                Some(Order::Forward(signal)) => {
                    // A signal that means "reload" is one whoever it comes from, so it waits for its splay too.
                    if self.settings.reload == Reload::Signal(signal)
                        && let Pause::Stop = self.splay().await
                    {
                        let _ = self.end(&mut child).await;
                        return None;
                    }
                    self.send(&child, signal);
                }
                Some(Order::Stop { splay, done }) => {
                    self.stopping = Some(done);
                    if splay {
                        self.splay().await;
                    }
                    let _ = self.end(&mut child).await;
                    return None;
                }
            }
        }
    }

    fn spawn(&self) -> Result<Child, CommandError> {
        let words = &self.settings.command;
        tracing::info!(target: "child", "spawning: {words}");
        start(&mut prepare(words, &self.settings.env, &self.exported)?)
    }

    fn send(&self, child: &Child, signal: Signal) {
        tracing::debug!(target: "child", "sending {signal}");
        send(child, self.settings.command.needs_shell(), signal);
    }

    /// Waits for a random part of the splay, unless the end comes first. Other orders are void meanwhile: a reload
    /// is under way already.
    async fn splay(&mut self) -> Pause {
        let limit = self.settings.splay;
        if limit.is_zero() {
            return Pause::Over;
        }
        let pause = tokio::time::sleep(limit.mul_f64(rand::random_range(0.0..1.0)));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => return Pause::Over,
                order = self.inbox.recv() => match order {
                    None => return Pause::Stop,
                    Some(Order::Stop { done, .. }) => {
                        self.stopping = Some(done);
                        return Pause::Stop;
                    }
                    Some(_) => {}
                },
            }
        }
    }

    /// Asks the program to end, and kills it when its time is up.
    async fn end(&self, child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
        let patience = match self.settings.kill_signal {
            Some(signal) => {
                self.send(child, signal);
                self.settings.kill_timeout
            }
            None => Duration::ZERO,
        };
        if let Ok(status) = tokio::time::timeout(patience, child.wait()).await {
            return status;
        }
        tracing::warn!(target: "child", "the program did not end within {patience:?} and is killed");
        self.send(child, Signal::SIGKILL);
        child.wait().await
    }
}

impl Drop for Nurse {
    fn drop(&mut self) {
        if let Some(done) = self.stopping.take() {
            let _ = done.send(());
        }
    }
}

fn exited(status: std::io::Result<std::process::ExitStatus>) -> ChildReport {
    ChildReport::Exited(status.ok().and_then(|status| status.code()).unwrap_or(-1))
}
