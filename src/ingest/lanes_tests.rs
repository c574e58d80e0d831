//! Who goes when: by project, by class, and whatever the number of those who wait.

use super::super::share::{Answer, Origin};
use super::*;
use crate::domain::{Code, Item, Json, Rejected, Rejection, Timestamp};
use std::sync::Arc;
use tokio::sync::oneshot;
use uuid::Uuid;

const BUDGET: Budget = Budget {
    rows: 1_000,
    cost: 1 << 20,
};

pub fn settings() -> config::Ingest {
    let config = config::Config::load(None, HashMap::new());
    config.expect("defaults").ingest
}

fn lanes() -> Lanes {
    Lanes::new(&settings())
}

fn item() -> Item {
    Item::Rejected(Rejected {
        project_id: ProjectId(0),
        id: Uuid::nil(),
        received_at: Timestamp::MIN,
        rejection: Rejection::of(Code::TooLong, "x", "x"),
        message_id: None,
        names: Vec::new(),
        warnings: None,
        item: Json::null(),
    })
}

/// A share, and the ear of who waits for its answer.
pub fn share(project: i32, class: Class, cost: usize) -> (Share, oneshot::Receiver<Answer>) {
    let (reply, answer) = oneshot::channel();
    let origin = Origin {
        project_id: ProjectId(project),
        class,
    };
    let share = Share {
        origin,
        items: vec![item()],
        cost,
        since: Instant::now(),
        span: None,
        is_of_a_file: false,
        reply,
        _room: Arc::new(None),
    };
    (share, answer)
}

/// Adds shares of equal cost; the ears have to be kept.
fn fill(
    lanes: &mut Lanes,
    (project, class): (i32, Class),
    cost: usize,
    count: usize,
) -> Vec<oneshot::Receiver<Answer>> {
    let mut ears = Vec::new();
    for _ in 0..count {
        let (share, ear) = share(project, class, cost);
        lanes.add(share);
        ears.push(ear);
    }
    ears
}

fn cost_of(batch: &[Share], project: i32) -> usize {
    let own = batch
        .iter()
        .filter(|share| share.origin.project_id.0 == project);
    own.map(|share| share.cost).sum()
}

fn cost_of_class(batch: &[Share], class: Class) -> usize {
    let own = batch.iter().filter(|share| share.origin.class == class);
    own.map(|share| share.cost).sum()
}

#[tokio::test]
async fn projects_get_equal_parts_whatever_the_size_and_number_of_their_shares() {
    let mut lanes = lanes();
    let _flood = fill(&mut lanes, (1, Class::Live), 2_000, 10_000);
    let _large = fill(&mut lanes, (2, Class::Live), 200_000, 20);
    let (mut flood, mut large) = (0, 0);
    for _ in 0..4 {
        let batch = lanes.take(Lane::Heavy, BUDGET);
        flood += cost_of(&batch, 1);
        large += cost_of(&batch, 2);
    }
    let ratio = flood as f64 / large as f64;
    assert!((0.7..1.4).contains(&ratio), "{flood} to {large}");
}

#[tokio::test]
async fn who_is_alone_gets_all_of_it() {
    let mut lanes = lanes();
    let _ears = fill(&mut lanes, (1, Class::Backfill), 10_000, 1_000);
    let batch = lanes.take(Lane::Heavy, BUDGET);
    assert!(cost_of(&batch, 1) > BUDGET.cost * 9 / 10);
}

#[tokio::test]
async fn a_single_call_rides_apart_from_a_flood() {
    let mut lanes = lanes();
    let _flood = fill(&mut lanes, (1, Class::Live), 2_000, 5_000);
    let _one = fill(&mut lanes, (2, Class::Live), 2_000, 1);
    let light = lanes.take(Lane::Light, BUDGET);
    assert_eq!(cost_of(&light, 2), 2_000);
    let _more = fill(&mut lanes, (1, Class::Live), 2_000, 5_000);
    assert_eq!(lanes.rows(Lane::Light), 0, "who waits for a turn has one");
}

#[tokio::test]
async fn live_calls_of_a_project_ride_apart_from_its_own_backfill() {
    let mut lanes = lanes();
    let _backfill = fill(&mut lanes, (1, Class::Backfill), 2_000, 500);
    let _live = fill(&mut lanes, (1, Class::Live), 2_000, 100);
    assert!(lanes.is_mixed(), "a slot is kept for them");
    let light = lanes.take(Lane::Light, BUDGET);
    assert_eq!(cost_of_class(&light, Class::Live), 200_000);
    let heavy = lanes.take(Lane::Heavy, BUDGET);
    assert_eq!(cost_of_class(&heavy, Class::Live), 0);
}

#[tokio::test]
async fn classes_have_a_floor_and_a_ceiling_while_live_traffic_is_there() {
    let mut lanes = lanes();
    let _live = fill(&mut lanes, (1, Class::Live), 1_000, 5_000);
    let _import = fill(&mut lanes, (1, Class::Import), 1_000, 5_000);
    let _backfill = fill(&mut lanes, (1, Class::Backfill), 1_000, 5_000);
    let batch = lanes.take(Lane::Heavy, BUDGET);
    let [live, import, backfill] = Class::ALL.map(|class| cost_of_class(&batch, class));
    assert!(
        live > import && import >= backfill && backfill > 0,
        "{live} {import} {backfill}"
    );
    let mut quiet = self::lanes();
    let _live = fill(&mut quiet, (1, Class::Live), 1_000, 10);
    let _backfill = fill(&mut quiet, (1, Class::Backfill), 1_000, 5_000);
    let batch = quiet.take(Lane::Heavy, BUDGET);
    let backfill = cost_of_class(&batch, Class::Backfill);
    let ceiling = quiet.shares_of_batch[2].ceiling_percent;
    assert!(backfill <= BUDGET.cost * ceiling / 100, "{backfill}");
    assert_eq!(cost_of_class(&batch, Class::Live), 10_000);
}

#[tokio::test]
async fn what_nobody_waits_for_is_dropped_and_gives_its_room_back() {
    let admission = super::super::Admission::new(100);
    let mut lanes = lanes();
    let (mut gone, ear) = share(1, Class::Live, 1_000);
    gone._room = Arc::new(admission.try_reserve(100));
    lanes.add(gone);
    drop(ear);
    let _ear = fill(&mut lanes, (1, Class::Live), 1_000, 1);
    assert_eq!(admission.available_bytes(), 0);
    assert_eq!(lanes.take(Lane::Heavy, BUDGET).len(), 1);
    assert_eq!(admission.available_bytes(), 100);
    assert_eq!(lanes.rows(Lane::Heavy), 0);
}

#[tokio::test]
async fn ten_thousand_projects_are_all_served_and_forgotten() {
    let mut lanes = lanes();
    let mut ears = Vec::new();
    for project in 0..10_000 {
        ears.extend(fill(&mut lanes, (project, Class::Import), 1_000, 1));
    }
    let mut served = 0;
    while lanes.rows(Lane::Heavy) > 0 {
        served += lanes.take(Lane::Heavy, BUDGET).len();
    }
    assert_eq!(served, 10_000);
    assert!(lanes.heavy[1].is_empty());
}
