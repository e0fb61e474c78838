//! A web server that a test can make ill.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

/// Answers every request with one status, until it is dropped.
pub struct Stub {
    port: u16,
    status: Arc<AtomicU16>,
}

impl Stub {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let status = Arc::new(AtomicU16::new(200));
        let shared = Arc::downgrade(&status);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), Some(status)) = (stream, shared.upgrade()) else { return };
                let status = status.load(Ordering::Relaxed);
                // A client that goes away is none of our business.
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Length: 3\r\nConnection: close\r\n\r\nhi\n"
                );
            }
        });
        Self { port, status }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The status of all further answers.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }
}
