//! Where a request runs: here, on the leader, on another server, or in another datacenter.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use consul_acl::Authorizer;
use consul_raft::Leadership;
use consul_rpc::client::Target;
use futures::future::BoxFuture;
use rand::Rng as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::remote::{Operation, RemoteRead, RemoteWrite};
use super::{Consistency, ReadMeta, ReadOptions, RpcError, WriteOptions};
use crate::agent::Agent;
use crate::cluster::NoRoute;
use crate::server::Server;

/// Whom a request needs within its datacenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Leader,
    /// A server that has heard from a leader and knows what was written until then.
    Follower,
    /// Any server: nothing of the replicated state is needed.
    AnyServer,
}

impl From<Consistency> for Need {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::Stale { .. } => Self::Follower,
            Consistency::Default | Consistency::Consistent => Self::Leader,
        }
    }
}

/// Where a request goes next.
pub(super) enum Route<'a> {
    Here(&'a Arc<Server>),
    There(Target),
}

/// Servers spread their answers to blocking queries over a sixteenth of the wait; some time is for the way.
const WAIT_MARGIN: Duration = Duration::from_secs(10);

impl Agent {
    /// The path of every read.
    pub async fn read<R: RemoteRead>(
        &self,
        request: &R,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, R::Reply), RpcError> {
        let authorizer = self.authorize(&options.token)?;
        self.admit_request()?;
        let started = Instant::now();
        if let Some(server) = self.server_here(&options.datacenter, options.consistency.into()) {
            match server.read(request, options, &authorizer).await {
                Err(RpcError::NoLeader) => {}
                Ok((meta, _)) if is_too_old(&meta, options) => {}
                done => return done,
            }
        }
        // Rare and large: boxed, so that thousands of waiting reads do not hold room for it. Without its type, so that
        // the compiler need not look into it for each kind of request.
        let patiently: BoxFuture<'_, _> =
            Box::pin(self.read_patiently(request, options, &authorizer, started));
        patiently.await
    }

    async fn read_patiently<R: RemoteRead>(
        &self,
        request: &R,
        options: &ReadOptions,
        authorizer: &Authorizer,
        started: Instant,
    ) -> Result<(ReadMeta, R::Reply), RpcError> {
        let wait = options.max_wait;
        let mut options = self.addressed(options);
        shorten(&mut options, wait, started);
        let mut patience = self.patience(options.forwarded);
        loop {
            let attempt = Instant::now();
            let outcome =
                match self.route_to(&options.datacenter, options.consistency.into(), options.forwarded) {
                    Ok(Route::Here(server)) => server.read(request, &options, authorizer).await,
                    Ok(Route::There(target)) => {
                        let asked = self.forwarding(&target, &options);
                        let limit = asked.max_wait + asked.max_wait / 16 + WAIT_MARGIN + self.hold();
                        let limit = if asked.min_index > 0 { limit } else { self.answer_limit() };
                        let body =
                            self.ask(&target, request.method(), request.arguments(&asked), limit).await;
                        body.and_then(|body| request.reply(&body)).map(|(meta, reply)| {
                            (ReadMeta { consistency: options.consistency, ..meta }, reply)
                        })
                    }
                    Err(failure) => Err(failure),
                };
            match outcome {
                Ok((meta, _)) if is_too_old(&meta, &options) => options.consistency = Consistency::Default,
                Ok(done) => return Ok(done),
                Err(failure) => {
                    if options.min_index > 0 && attempt.elapsed() > self.hold() {
                        // It waited because it was asked to, not for a leader.
                        patience = self.patience(options.forwarded);
                    }
                    patience.after(failure, Repeat::Always).await?;
                    shorten(&mut options, wait, started);
                }
            }
        }
    }

    /// The path of every write. Boxed without its type, as [`Agent::operate`] is: the compiler would otherwise look into
    /// it anew wherever one is made.
    pub fn write<'a, W: RemoteWrite + 'a>(
        &'a self,
        request: W,
        options: &'a WriteOptions,
    ) -> BoxFuture<'a, Result<W::Reply, RpcError>> {
        Box::pin(self.write_anywhere(request, options))
    }

    async fn write_anywhere<W: RemoteWrite>(
        &self,
        request: W,
        options: &WriteOptions,
    ) -> Result<W::Reply, RpcError> {
        let authorizer = self.authorize(&options.token)?;
        request.authorize(&authorizer)?;
        self.admit_request()?;
        if let Some(server) = self.server_here(&options.datacenter, Need::Leader) {
            if server.raft.is_alone() && server.raft.is_leader() {
                return server.write(request).await;
            }
            match server.write(request.clone()).await {
                Err(RpcError::NoLeader) => {}
                done => return done,
            }
        }
        self.write_patiently(request, options).await
    }

    async fn write_patiently<W: RemoteWrite>(
        &self,
        request: W,
        options: &WriteOptions,
    ) -> Result<W::Reply, RpcError> {
        let mut options = options.clone();
        self.fill_datacenter(&mut options.datacenter);
        let mut patience = self.patience(options.forwarded);
        loop {
            let outcome = match self.route_to(&options.datacenter, Need::Leader, options.forwarded) {
                Ok(Route::Here(server)) => server.write(request.clone()).await,
                Ok(Route::There(target)) => {
                    let forwarded = self.forwards_within(&target);
                    let asked = WriteOptions { forwarded, ..options.clone() };
                    let body = self
                        .call(&target, request.method(), request.arguments(&asked), self.answer_limit())
                        .await;
                    body.and_then(|body| request.reply(&body))
                }
                Err(failure) => Err(failure),
            };
            match outcome {
                Ok(reply) => return Ok(reply),
                Err(failure) => patience.after(failure, Repeat::IfNotSent).await?,
            }
        }
    }

    /// The path of everything else that a server does for a caller.
    pub fn operate<'a, O: Operation>(
        self: &'a Arc<Self>,
        operation: &'a O,
        options: &'a ReadOptions,
    ) -> BoxFuture<'a, Result<(ReadMeta, O::Reply), RpcError>> {
        Box::pin(self.operate_patiently(operation, options))
    }

    async fn operate_patiently<O: Operation>(
        self: &Arc<Self>,
        operation: &O,
        options: &ReadOptions,
    ) -> Result<(ReadMeta, O::Reply), RpcError> {
        self.admit_request()?;
        let options = self.addressed(options);
        let need = operation.need(&options);
        let mut patience = self.patience(options.forwarded);
        loop {
            let outcome = match self.route_to(&options.datacenter, need, options.forwarded) {
                Ok(Route::Here(server)) => {
                    let here: BoxFuture<'_, _> = Box::pin(operation.perform(self, server, &options));
                    here.await
                }
                Ok(Route::There(target)) => {
                    let asked = self.forwarding(&target, &options);
                    let (method, arguments) = (operation.method(), operation.arguments(&asked));
                    let limit = self.answer_limit();
                    let body = match operation.repeat() {
                        Repeat::Always => self.ask(&target, method, arguments, limit).await,
                        Repeat::IfNotSent => self.call(&target, method, arguments, limit).await,
                    };
                    body.and_then(|body| operation.reply(&body))
                }
                Err(failure) => Err(failure),
            };
            match outcome {
                Ok(done) => return Ok(done),
                Err(failure) => patience.after(failure, operation.repeat()).await?,
            }
        }
    }

    /// Where a request to `datacenter` goes now.
    pub(super) fn route_to(
        &self,
        datacenter: &str,
        need: Need,
        forwarded: bool,
    ) -> Result<Route<'_>, RpcError> {
        if !self.is_own_datacenter(datacenter) && self.server.is_some() {
            let target = self.servers.router.next(datacenter).map_err(|reason| match reason {
                NoRoute::UnknownDatacenter => RpcError::NoPathToDatacenter,
                NoRoute::Unreachable => RpcError::DatacenterUnreachable,
            });
            return target.map(|server| Route::There(Target::from(&*server)));
        }
        let Some(server) = &self.server else {
            // A client asks a server of its own datacenter for everything.
            let server = self.servers.router.next(&self.identity.datacenter);
            return server
                .map(|server| Route::There(Target::from(&*server)))
                .map_err(|_| RpcError::NoServers);
        };
        if can_take(server, need) {
            return Ok(Route::Here(server));
        }
        if forwarded {
            return Err(RpcError::NoLeader);
        }
        let leader = server.raft.leader().ok_or(RpcError::NoLeader)?;
        Ok(Route::There(self.servers.leader(&leader).ok_or(RpcError::NoLeader)?))
    }

    /// This server, if it can take the request itself: the way of nearly all requests to a server.
    fn server_here(&self, datacenter: &str, need: Need) -> Option<&Arc<Server>> {
        let server = self.server.as_ref().filter(|_| self.is_own_datacenter(datacenter))?;
        can_take(server, need).then_some(server)
    }

    fn is_own_datacenter(&self, datacenter: &str) -> bool {
        datacenter.is_empty() || datacenter.eq_ignore_ascii_case(&self.identity.datacenter)
    }

    /// Names are lower case everywhere; users write them as they like, as they do in DNS.
    fn fill_datacenter(&self, datacenter: &mut String) {
        if datacenter.is_empty() {
            self.identity.datacenter.clone_into(datacenter);
        }
        datacenter.make_ascii_lowercase();
    }

    /// The options with the datacenter that they mean.
    pub(super) fn addressed(&self, options: &ReadOptions) -> ReadOptions {
        let mut options = options.clone();
        self.fill_datacenter(&mut options.datacenter);
        options
    }

    /// The options as the next server gets them.
    fn forwarding(&self, target: &Target, options: &ReadOptions) -> ReadOptions {
        ReadOptions { forwarded: self.forwards_within(target), ..options.clone() }
    }

    /// A server that asks one of its own datacenter asks its leader, who must not pass the request on again.
    fn forwards_within(&self, target: &Target) -> bool {
        self.server.is_some() && self.is_own_datacenter(&target.datacenter)
    }

    /// Whoever forwarded a request waits for the leader, and learns sooner than this server who that is now.
    pub(super) fn patience(&self, forwarded: bool) -> Patience {
        let leadership = self.server.as_ref().map(|server| server.raft.watch_leadership());
        let hold = if forwarded { Duration::ZERO } else { self.hold() };
        Patience::new(hold, leadership)
    }

    /// How long a request may wait for a leader.
    pub(super) fn hold(&self) -> Duration {
        self.config.load().raft.rpc_hold_timeout
    }

    /// How long an answer may take that is not waited for on purpose.
    pub(super) fn answer_limit(&self) -> Duration {
        self.config.load().limits.rpc_client_timeout
    }

    /// [`Agent::call`] for what may be asked again. Ends early if the server that was asked leads no more: one that is
    /// paused or cut off does not say so itself.
    fn ask<'a>(
        &'a self,
        target: &'a Target,
        method: &'static str,
        arguments: Vec<u8>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Bytes, RpcError>> {
        let call = self.call(target, method, arguments, limit);
        let Some(server) = self.server.as_ref().filter(|_| self.forwards_within(target)) else {
            return call;
        };
        Box::pin(async move {
            let mut leadership = server.raft.watch_leadership();
            // Found as it was found for this request: the log may still have another address of the leader.
            let is_target = |leader: &consul_raft::Peer| {
                self.servers.leader(leader).is_some_and(|leader| leader == *target)
            };
            let deposed = leadership.wait_for(|now| !now.leader.as_ref().is_some_and(is_target));
            tokio::select! {
                answer = call => answer,
                _ = deposed => Err(RpcError::NoLeader),
            }
        })
    }

    fn call<'a>(
        &'a self,
        target: &'a Target,
        method: &'static str,
        arguments: Vec<u8>,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Bytes, RpcError>> {
        Box::pin(self.servers.call(target, method, arguments, limit))
    }
}

fn can_take(server: &Server, need: Need) -> bool {
    match need {
        Need::Leader => server.raft.is_leader(),
        Need::Follower => server.raft.is_leader() || server.raft.has_caught_up(),
        Need::AnyServer => true,
    }
}

/// A wait that was cut off goes on for what is left of it.
fn shorten(options: &mut ReadOptions, wait: Duration, started: Instant) {
    options.max_wait = wait.saturating_sub(started.elapsed());
    if options.max_wait.is_zero() {
        // To wait for no time means to wait for the usual time.
        options.min_index = 0;
    }
}

/// Does the caller want to hear a fresher server?
fn is_too_old(meta: &ReadMeta, options: &ReadOptions) -> bool {
    matches!(options.consistency, Consistency::Stale { max: Some(max) } if meta.last_contact > max)
}

/// What may be tried again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Asking twice changes nothing.
    Always,
    /// Only what certainly did not happen.
    IfNotSent,
}

/// How long and how often a request is tried while there is no leader or its server does not answer.
pub struct Patience {
    until: Instant,
    pause: Duration,
    /// Who leads, where this agent learns it by itself.
    leadership: Option<watch::Receiver<Leadership>>,
}

/// The first pauses are short, because an election is.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

impl Patience {
    pub fn new(hold: Duration, leadership: Option<watch::Receiver<Leadership>>) -> Self {
        Self { until: Instant::now() + hold, pause: FIRST_PAUSE, leadership }
    }

    /// Waits before the next attempt, or hands back the failure once it has taken too long or can't get better.
    pub async fn after(&mut self, failure: RpcError, repeat: Repeat) -> Result<(), RpcError> {
        if !may_pass(&failure, repeat) || Instant::now() >= self.until {
            return Err(failure);
        }
        tokio::select! {
            () = sleep(at_random(self.pause)) => {}
            // All who wait here go to the same server now.
            () = next_leader(&mut self.leadership) => sleep(at_random(FIRST_PAUSE)).await,
        }
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

fn at_random(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..1.0))
}

/// Ready when there is a leader of whom this request did not know.
async fn next_leader(leadership: &mut Option<watch::Receiver<Leadership>>) {
    if let Some(leadership) = leadership {
        while leadership.changed().await.is_ok() {
            if leadership.borrow_and_update().leader.is_some() {
                return;
            }
        }
    }
    std::future::pending().await
}

fn may_pass(failure: &RpcError, repeat: Repeat) -> bool {
    match failure {
        RpcError::NoLeader => true,
        RpcError::Unanswered { sent, .. } => !sent || repeat == Repeat::Always,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use consul_raft::{Peer, Role, ServerId};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_until_the_time_is_up() {
        let mut patience = Patience::new(Duration::from_secs(7), None);
        let started = Instant::now();
        let mut attempts = 0;
        while patience.after(RpcError::NoLeader, Repeat::IfNotSent).await.is_ok() {
            attempts += 1;
        }
        assert!(started.elapsed() >= Duration::from_secs(7) && started.elapsed() < Duration::from_secs(8));
        assert!((20..100).contains(&attempts), "{attempts}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_leader_ends_the_pause() {
        let nobody = Leadership { term: 1, role: Role::Follower, leader: None };
        let peer = Peer { id: ServerId::from_u128(1), address: "127.0.0.1:8300".to_owned() };
        let (leads, leadership) = watch::channel(nobody.clone());
        let mut patience = Patience::new(Duration::from_secs(60), Some(leadership));
        patience.pause = Duration::from_secs(20);
        let started = Instant::now();
        let waiting = patience.after(RpcError::NoLeader, Repeat::IfNotSent);
        let electing = async {
            sleep(Duration::from_secs(1)).await;
            leads.send_replace(Leadership { term: 2, ..nobody.clone() });
            sleep(Duration::from_secs(1)).await;
            leads.send_replace(Leadership { term: 2, leader: Some(peer), ..nobody });
        };
        let (waited, ()) = tokio::join!(waiting, electing);
        waited.unwrap();
        assert!((Duration::from_secs(2)..Duration::from_secs(3)).contains(&started.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_may_have_happened_is_not_repeated() {
        let unanswered =
            |sent| RpcError::Unanswered { server: "s1".into(), reason: "connection reset".into(), sent };
        let mut patience = Patience::new(Duration::from_secs(7), None);
        assert!(patience.after(unanswered(true), Repeat::IfNotSent).await.is_err());
        assert!(patience.after(unanswered(false), Repeat::IfNotSent).await.is_ok());
        assert!(patience.after(unanswered(true), Repeat::Always).await.is_ok());
        assert!(patience.after(RpcError::PermissionDenied, Repeat::Always).await.is_err());
    }
}
