//! Signals by name.

use std::str::FromStr;

use nix::sys::signal::Signal;

/// A signal, or that there shall be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalChoice(pub Option<Signal>);

const NAMES: &[(&str, Signal)] = &[
    ("SIGABRT", Signal::SIGABRT),
    ("SIGALRM", Signal::SIGALRM),
    ("SIGBUS", Signal::SIGBUS),
    ("SIGCONT", Signal::SIGCONT),
    ("SIGFPE", Signal::SIGFPE),
    ("SIGHUP", Signal::SIGHUP),
    ("SIGILL", Signal::SIGILL),
    ("SIGINT", Signal::SIGINT),
    ("SIGIO", Signal::SIGIO),
    ("SIGIOT", Signal::SIGABRT),
    ("SIGKILL", Signal::SIGKILL),
    ("SIGPIPE", Signal::SIGPIPE),
    ("SIGPROF", Signal::SIGPROF),
    ("SIGQUIT", Signal::SIGQUIT),
    ("SIGSEGV", Signal::SIGSEGV),
    ("SIGSTOP", Signal::SIGSTOP),
    ("SIGSYS", Signal::SIGSYS),
    ("SIGTERM", Signal::SIGTERM),
    ("SIGTRAP", Signal::SIGTRAP),
    ("SIGTSTP", Signal::SIGTSTP),
    ("SIGTTIN", Signal::SIGTTIN),
    ("SIGTTOU", Signal::SIGTTOU),
    ("SIGUSR1", Signal::SIGUSR1),
    ("SIGUSR2", Signal::SIGUSR2),
    ("SIGWINCH", Signal::SIGWINCH),
    ("SIGXCPU", Signal::SIGXCPU),
    ("SIGXFSZ", Signal::SIGXFSZ),
];

impl FromStr for SignalChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.trim().to_ascii_uppercase();
        if name.is_empty() || name == "SIGNULL" {
            return Ok(Self(None));
        }
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, signal)| Self(Some(*signal))).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            format!("invalid signal {text:?} - valid signals are [SIGNULL {}]", names.join(" "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case_and_none() {
        assert_eq!("sighup".parse(), Ok(SignalChoice(Some(Signal::SIGHUP))));
        assert_eq!("".parse(), Ok(SignalChoice(None)));
        assert_eq!("SIGNULL".parse(), Ok(SignalChoice(None)));
        assert!("HUP".parse::<SignalChoice>().unwrap_err().starts_with("invalid signal \"HUP\""));
    }
}
