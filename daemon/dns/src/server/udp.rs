//! The UDP loop.
//!
//! One task reads a socket and answers on the spot whatever the local state can answer: a task switch would cost as
//! much as the answer. Only a question that has to wait for another server moves to a task of its own.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tracing::debug;

use super::Shared;
use super::endpoint::{Endpoint, Peer};
use crate::LOG;
use crate::backend::Event;
use crate::reply::Transport;
use crate::resolver::{Client, Step};

/// A datagram's payload at most.
const PACKET_MAX: usize = 65_535;
/// Packets answered in a row before other tasks of the runtime get a turn.
const BURST: usize = 64;

/// Serves `socket` until the server stops.
pub(super) async fn run(socket: Arc<Endpoint>, shared: Shared) {
    let mut buffer = vec![0; PACKET_MAX];
    loop {
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            ready = socket.readable() => if let Err(error) = ready {
                debug!(target: LOG, %error, "udp socket is not readable");
            },
        }
        for _ in 0..BURST {
            match socket.try_receive(&mut buffer) {
                Ok((len, peer)) => {
                    let packet = buffer.get(..len).unwrap_or_default();
                    serve(&socket, &shared, packet, peer).await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The kernel reports here that an earlier reply met a closed port.
                Err(error) => debug!(target: LOG, %error, "udp receive failed"),
            }
        }
        tokio::task::yield_now().await;
    }
}

async fn serve(socket: &Arc<Endpoint>, shared: &Shared, packet: &[u8], peer: Peer) {
    let addr = peer.addr;
    match shared.resolver.take(packet, Client { addr, transport: Transport::Udp }) {
        Step::Drop => {}
        Step::Reply(reply) => send(socket, &reply, peer).await,
        Step::Later(mut later) => match poll_once(&mut later).await {
            Some(reply) => send(socket, &reply, peer).await,
            None => wait(socket.clone(), shared, later, peer),
        },
    }
}

/// Polls the future with the current task's waker. If it is pending, whoever polls it next takes over.
async fn poll_once<T>(later: &mut Pin<Box<dyn Future<Output = T> + Send>>) -> Option<T> {
    poll_fn(|cx| {
        Poll::Ready(match later.as_mut().poll(cx) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}

fn wait(
    socket: Arc<Endpoint>,
    shared: &Shared,
    later: Pin<Box<dyn Future<Output = Vec<u8>> + Send>>,
    peer: Peer,
) {
    let Ok(permit) = shared.waiting.clone().try_acquire_owned() else {
        shared.resolver.backend().observe(Event::Overload);
        return;
    };
    let abort = shared.abort.clone();
    shared.tasks.spawn(async move {
        let answered = async {
            let reply = later.await;
            send(&socket, &reply, peer).await;
        };
        abort.run_until_cancelled(answered).await;
        drop(permit);
    });
}

async fn send(socket: &Endpoint, reply: &[u8], peer: Peer) {
    if let Err(error) = socket.send(reply, peer).await {
        debug!(target: LOG, client = %peer.addr, %error, "failed to respond");
    }
}
