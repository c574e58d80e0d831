//! Live requests at a rate of their own: each has its moment, whether or not the ones before it were answered.

use crate::bench::bodies::Request;
use crate::bench::http::Connection;
use crate::bench::stage::Service;
use crate::bench::tally::Tally;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What is sent, and for how long.
#[derive(Clone, Copy)]
pub struct Live {
    /// Single events a second.
    pub rate: f64,
    pub connections: usize,
    pub people: u32,
    pub seconds: u64,
}

/// What was felt, second by second from the beginning; a request counts in the second in which it was due.
pub async fn send(live: Live, service: &Service) -> Result<Vec<Tally>> {
    let (mut senders, start) = (JoinSet::new(), Instant::now());
    let every = Duration::from_secs_f64(live.connections as f64 / live.rate);
    for line in 0..live.connections {
        let sender = Sender {
            connection: Connection::open(service.address).await?,
            request: Request::single("/v1/track", &service.key, line),
            live,
            start,
        };
        let first = start + every.mul_f64(line as f64 / live.connections as f64);
        senders.spawn(sender.send_from(first, every));
    }
    let mut all: Vec<Tally> = (0..live.seconds).map(|_| Tally::default()).collect();
    while let Some(done) = senders.join_next().await {
        let own = done.context("a connection broke off")??;
        for (sum, own) in all.iter_mut().zip(&own) {
            sum.absorb(own);
        }
    }
    Ok(all)
}

/// One connection.
struct Sender {
    connection: Connection,
    request: Request,
    live: Live,
    start: Instant,
}

impl Sender {
    async fn send_from(mut self, first: Instant, every: Duration) -> Result<Vec<Tally>> {
        let mut felt: Vec<Tally> = (0..self.live.seconds).map(|_| Tally::default()).collect();
        let mut due = first;
        loop {
            let second = due.duration_since(self.start).as_secs() as usize;
            let Some(tally) = felt.get_mut(second) else {
                return Ok(felt);
            };
            sleep_until(due).await;
            let status = self
                .connection
                .ask(self.request.renew(self.live.people))
                .await?;
            ensure!(status == 200, "a live request was answered {status}");
            tally.add(1, due.elapsed());
            due += every;
        }
    }
}
