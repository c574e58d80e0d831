//! Two tenants with the same names, message ids and keys of their own: neither sees, changes or suppresses anything of the
//! other's, and nobody learns from an answer, or from what it cost, that somebody else has an id.

mod crossed;
mod drawn;
mod foreign;
mod tenant;

use crate::forms::seeds;
use crate::harness::{Project, Service, fresh_database};
use drawn::operation;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tenant::Tenant;

const OPERATIONS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbour_with_the_same_names_changes_nothing() {
    let mut events = 0;
    for seed in seeds(3, 5) {
        events += live(seed).await;
    }
    assert!(events > 0, "nobody did anything");
}

/// Two neighbours live side by side, a twin of the first lives alone: a service and a database of its own. Tells how many events
/// the first has.
async fn live(seed: u64) -> usize {
    let database = fresh_database().await;
    let service = Service::start(&database, &[]).await;
    let mut alone = Tenant::new(Project::on(&service.url, &database).await);
    let [mut one, mut other] = [Project::fresh().await, Project::fresh().await].map(Tenant::new);
    let mut rng = StdRng::seed_from_u64(seed);
    for step in 0..OPERATIONS {
        let (mine, theirs) = (operation(&mut rng), operation(&mut rng));
        let (told, _, twin) = tokio::join!(one.run(&mine), other.run(&theirs), alone.run(&mine));
        assert_eq!(told, twin, "seed {seed}, step {step}: {mine:?}");
    }
    let (told, twin) = tokio::join!(one.everything(), alone.everything());
    for (path, answer) in &told {
        assert_eq!(answer, &twin[path], "seed {seed}, in the end: {path}");
    }
    assert_eq!(told.len(), twin.len());
    let is_event = |(path, (status, _)): &(&String, &(u16, Vec<String>))| {
        path.starts_with("/v1/events/") && *status == 200
    };
    let events = told.iter().filter(is_event).count();
    eprintln!("seed {seed}: {OPERATIONS} operations on each, {events} events left");
    events
}
