//! Nodes of the version before and of this one side by side: F32 of `contracts/faults.md`. `make upgrade BEFORE=COMMIT` builds the other
//! program and names it; elsewhere this version stands for the one before.

use crate::harness::{Project, ROSTER, Service, alone, fresh_database};
use crate::ledger::Load;
use crate::machine::free_address;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// Acknowledged calls between two changes.
const CALLS: u64 = 200;

/// Two places for nodes, and the database below them.
struct Fleet {
    addresses: [String; 2],
    nodes: [Option<Service>; 2],
    database: String,
}

impl Fleet {
    /// Starts a program at a place.
    async fn start(&mut self, place: usize, program: &str) {
        let listen = ("ROSTER__SERVER__LISTEN", &*self.addresses[place]);
        let arguments = ["--database-url", &*self.database];
        self.nodes[place] = Some(Service::start_by(program, &arguments, &[listen]).await);
    }

    /// Ends what runs at a place, well or by `kill -9`, and starts a program there.
    async fn replace(&mut self, place: usize, program: &str, is_killed: bool) {
        let node = self.nodes[place].take().expect("it runs");
        if is_killed {
            node.kill();
        } else {
            assert!(node.terminate().await.success(), "it did not end well");
        }
        self.start(place, program).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_rolled_out_taken_back_and_rolled_out_again() {
    let _alone = alone().await;
    let before = std::env::var("ROSTER_BEFORE").unwrap_or_else(|_| ROSTER.to_owned());
    let mut fleet = Fleet {
        addresses: [free_address(), free_address()],
        nodes: [None, None],
        database: fresh_database().await,
    };
    fleet.start(0, &before).await;
    fleet.start(1, &before).await;
    let url = |place: usize| format!("http://{}", fleet.addresses[place]);
    let urls = [url(0), url(1)];
    let project = Project::on(&urls[0], &fleet.database).await;
    let load = Load::forgetful(&project, &[&urls[0], &urls[1]]);
    load.goes_on(CALLS, PATIENCE).await;
    let story = [
        // Rolled out, with nodes of the old version that restart beside the new one.
        (0, ROSTER, false),
        (1, &before, true),
        (0, ROSTER, true),
        (1, ROSTER, false),
        // Taken back, and rolled out again.
        (0, &before, false),
        (1, &before, true),
        (1, ROSTER, true),
        (0, ROSTER, false),
    ];
    for (place, program, is_killed) in story {
        fleet.replace(place, program, is_killed).await;
        load.goes_on(CALLS, PATIENCE).await;
    }
    load.must_be_clean("two versions side by side", &fleet.database)
        .await;
}
