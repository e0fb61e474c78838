//! What ends the agent: signals, a request to leave, a failure of its own.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::agent::Agent;

/// How the agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Gracefully: the cluster knows.
    Leave,
    /// At once: to the cluster it looks like a failure.
    Stop,
}

impl Ending {
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Leave => 0,
            Self::Stop => 1,
        }
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    user1: Signal,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
        })
    }
}

/// Resolves if somebody who waits for the agent's end loses patience.
pub async fn again() {
    let Ok(mut signals) = Signals::install() else { return std::future::pending().await };
    let name = tokio::select! {
        _ = signals.interrupt.recv() => "interrupt",
        _ = signals.terminate.recv() => "terminated",
    };
    warn!(target: "agent", signal = name, "Caught second signal, Exiting");
}

/// Serves signals until one of them, or somebody else, ends the agent.
pub async fn wait(agent: &Arc<Agent>) -> Ending {
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => {
            error!(target: "agent", %error, "cannot listen for signals");
            return Ending::Stop;
        }
    };
    loop {
        let (name, leave) = tokio::select! {
            () = agent.leave.cancelled() => return Ending::Leave,
            () = agent.stop.cancelled() => return Ending::Stop,
            _ = signals.interrupt.recv() => ("interrupt", !agent.config.load().process.skip_leave_on_interrupt),
            _ = signals.terminate.recv() => ("terminated", agent.config.load().process.leave_on_terminate),
            _ = signals.hangup.recv() => {
                info!(target: "agent", signal = "hangup", "Caught");
                // A failure is logged where it happens; the agent goes on.
                let _ = agent.reload_now().await;
                continue;
            }
            _ = signals.user1.recv() => {
                eprint!("{}", consul_telemetry::metrics::global().dump(SystemTime::now()));
                continue;
            }
        };
        info!(target: "agent", signal = name, "Caught");
        if leave {
            return Ending::Leave;
        }
        info!(target: "agent", "Graceful shutdown disabled. Exiting");
        return Ending::Stop;
    }
}
