//! Compares what was promised and answered with what the database holds. Reads the tables themselves: what the service says
//! about them is compared too, for a sample.

use super::call::{Promise, Stored};
use super::paper::{Answer, Sending};
use super::verdict::Verdict;
use crate::harness::{Project, connect};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use tokio_postgres::Row;

const EVENTS: &str = "SELECT COALESCE(e.message_id, e.event_id::TEXT), i.value, e.type, e.name, e.occurred_at,
    e.properties::TEXT, e.context::TEXT, p.profile_id IS NOT NULL AND i.value IS NOT NULL
FROM event AS e
LEFT JOIN profile AS p ON p.project_id = e.project_id AND p.profile_id = e.profile_id
LEFT JOIN identity AS i ON i.project_id = p.project_id AND i.profile_id = COALESCE(p.merged_into, p.profile_id)
    AND i.kind = 'user_id'
WHERE e.project_id = $1";

const PEOPLE: &str = "SELECT i.value, p.traits::TEXT, p.stamps::TEXT,
    (SELECT max(d.value) FROM identity AS d WHERE d.project_id = p.project_id AND d.profile_id = p.profile_id AND d.kind = 'anonymous_id')
FROM profile AS p
LEFT JOIN identity AS i ON i.project_id = p.project_id AND i.profile_id = p.profile_id AND i.kind = 'user_id'
WHERE p.project_id = $1 AND p.merged_into IS NULL";

const NAMES_OF_NOBODY: &str = "SELECT count(*) FROM identity AS i
LEFT JOIN profile AS p ON p.project_id = i.project_id AND p.profile_id = i.profile_id
WHERE i.project_id = $1 AND p.profile_id IS NULL";

const REFUSALS: &str =
    "SELECT message_id FROM rejection WHERE project_id = $1 AND message_id IS NOT NULL";

/// Read through the API besides.
const SAMPLE: usize = 20;

/// What is known of one id.
#[derive(Default)]
struct Fate<'a> {
    promise: Option<&'a Promise>,
    sendings: usize,
    acked: bool,
    refused: bool,
    called_new: usize,
    /// The fingerprints of its rows.
    found: Vec<String>,
}

/// The values of a person's traits, each with its time; null where it was removed.
type Traits = BTreeMap<String, (i64, String)>;

pub(super) async fn judge(
    project: &Project,
    database_url: &str,
    sendings: &[Sending],
    answers: &[Answer],
) -> Verdict {
    let mut fates = fates(sendings, answers);
    let mut verdict = Verdict::default();
    weigh_answers(&mut verdict, answers);
    let database = connect(database_url).await;
    let read = async |sql: &str| {
        database
            .query(sql, &[&project.id])
            .await
            .expect("the tables can be read")
    };
    for row in read(EVENTS).await {
        let id: String = row.get(0);
        verdict.torn += usize::from(!row.get::<_, bool>(7));
        fates.entry(id).or_default().found.push(fingerprint(&row));
    }
    let refusals: Vec<String> = read(REFUSALS).await.iter().map(|row| row.get(0)).collect();
    weigh_ids(&mut verdict, &fates, &refusals);
    let nobodies: i64 = read(NAMES_OF_NOBODY).await[0].get(0);
    verdict.torn += nobodies as usize;
    weigh_people(&mut verdict, &fates, &read(PEOPLE).await);
    verdict.misread = misread(project, &fates).await;
    verdict
}

fn fates<'a>(sendings: &'a [Sending], answers: &[Answer]) -> HashMap<String, Fate<'a>> {
    let answers: HashMap<_, _> = answers
        .iter()
        .map(|answer| (answer.request, answer))
        .collect();
    let mut fates: HashMap<String, Fate<'a>> = HashMap::new();
    for sending in sendings {
        let results = answers
            .get(&sending.request)
            .map_or(&[][..], |answer| &answer.results);
        for (position, promise) in sending.promises.iter().enumerate() {
            let fate = fates.entry(promise.message_id.clone()).or_default();
            fate.promise = Some(promise);
            fate.sendings += 1;
            match results.get(position).map(String::as_str) {
                None => {}
                Some("rejected") => fate.refused = true,
                Some(result) => {
                    fate.acked = true;
                    fate.called_new += usize::from(result == "stored");
                }
            }
        }
    }
    fates
}

fn weigh_answers(verdict: &mut Verdict, answers: &[Answer]) {
    for answer in answers {
        *verdict.statuses.entry(answer.status).or_default() += 1;
        verdict.rude += usize::from(matches!(answer.status, Some(429 | 503)) && !answer.says_when);
        if answer.status.is_some() {
            verdict.slowest = verdict.slowest.max(answer.took());
        }
    }
}

fn weigh_ids(verdict: &mut Verdict, fates: &HashMap<String, Fate>, refusals: &[String]) {
    let listed: std::collections::HashSet<&String> = refusals.iter().collect();
    for (id, fate) in fates {
        let copies = fate.found.len();
        verdict.duplicate += usize::from(copies > 1 || fate.called_new > 1);
        let Some(promise) = fate.promise else {
            verdict.phantom += 1;
            continue;
        };
        verdict.sent += 1;
        verdict.resent += fate.sendings - 1;
        if fate.acked {
            verdict.acked += 1;
            verdict.lost += usize::from(copies == 0);
        } else if fate.refused {
            verdict.refused += 1;
            verdict.phantom += usize::from(copies > 0);
            verdict.misjudged += usize::from(!promise.is_bad);
            verdict.unlisted += usize::from(!listed.contains(id));
        } else {
            verdict.unknown += 1;
            verdict.unknown_present += copies.min(1);
        }
        verdict.altered += usize::from(fate.found.iter().any(|hash| *hash != promise.hash));
        if (fate.acked && copies != 1) || fate.called_new > 1 {
            verdict.notes.push(format!(
                "{id}: {copies} rows, {} sendings, {} times new",
                fate.sendings, fate.called_new
            ));
        }
    }
}

fn fingerprint(row: &Row) -> String {
    let json = |column: usize| serde_json::from_str::<Value>(row.get(column)).expect("JSON");
    Stored {
        user: row.get::<_, Option<&str>>(1).unwrap_or_default(),
        kind: row.get(2),
        name: row.get(3),
        at: row.get::<_, jiff::Timestamp>(4).as_microsecond(),
        properties: &json(5),
        context: &json(6),
    }
    .hash()
}

/// What was said about one person.
#[derive(Default)]
struct Said<'a> {
    acked: Vec<&'a Promise>,
    unknown: Vec<&'a Promise>,
}

/// True where a call that names a device with its user was acknowledged: they are one person.
fn is_promised(device: &str, fates: &HashMap<String, Fate>) -> bool {
    let acked = fates.values().filter(|fate| fate.acked);
    let mut promises = acked.filter_map(|fate| fate.promise);
    promises.any(|promise| promise.names_device && device == format!("device-of-{}", promise.user))
}

fn weigh_people(verdict: &mut Verdict, fates: &HashMap<String, Fate>, rows: &[Row]) {
    let mut said: HashMap<&str, Said> = HashMap::new();
    for fate in fates.values() {
        let Some(promise) = fate.promise.filter(|promise| promise.traits.is_some()) else {
            continue;
        };
        let person = said.entry(&promise.user).or_default();
        if fate.acked {
            person.acked.push(promise);
        } else {
            person.unknown.push(promise);
        }
    }
    for row in rows {
        let Some(user) = row.get::<_, Option<&str>>(0) else {
            // A batch that is killed between making names and joining them leaves a device alone, which the next call joins.
            let device: Option<&str> = row.get(3);
            if row.get::<_, &str>(1) != "{}"
                || device.is_none_or(|device| is_promised(device, fates))
            {
                verdict.torn += 1;
                verdict
                    .notes
                    .push(format!("a profile without a user: {device:?}"));
            }
            continue;
        };
        let stored = stored_traits(row.get(1), row.get(2));
        let said = said.remove(user).unwrap_or_default();
        let expected = expected_traits(&said, &stored);
        if stored != expected {
            verdict.misfolded += 1;
            verdict
                .notes
                .push(format!("{user} has {stored:?}, not {expected:?}"));
        }
    }
    verdict.misfolded += said.values().filter(|said| !said.acked.is_empty()).count();
}

/// The fold of what was acknowledged, with those unknown writes of which a trace is there: each of them whole.
fn expected_traits(said: &Said, stored: &Traits) -> Traits {
    let mut folded = Traits::new();
    said.acked
        .iter()
        .for_each(|promise| fold(&mut folded, promise));
    // Values name their write, so that they are sure traces; a removal is one only where nothing else explains it.
    for is_trace in [is_own_value, is_unexplained_removal] {
        for promise in &said.unknown {
            if is_trace(promise, stored, &folded) {
                fold(&mut folded, promise);
            }
        }
    }
    folded
}

/// The later wins; at equal times the larger value, as canonical JSON.
fn fold(folded: &mut Traits, promise: &Promise) {
    for (name, value) in promise.traits.iter().flatten() {
        let incoming = (promise.at, value.to_string());
        let known = folded
            .entry(name.clone())
            .or_insert_with(|| incoming.clone());
        *known = incoming.max(known.clone());
    }
}

fn is_own_value(promise: &Promise, stored: &Traits, _: &Traits) -> bool {
    let is_there = |(name, value): (&String, &Value)| {
        !value.is_null() && stored.get(name) == Some(&(promise.at, value.to_string()))
    };
    promise.traits.iter().flatten().any(is_there)
}

fn is_unexplained_removal(promise: &Promise, stored: &Traits, folded: &Traits) -> bool {
    let is_there = |(name, value): (&String, &Value)| {
        value.is_null()
            && stored.get(name) == Some(&(promise.at, value.to_string()))
            && stored.get(name) != folded.get(name)
    };
    promise.traits.iter().flatten().any(is_there)
}

/// Reads traits and stamps as `docs/DATA_MODEL.md` describes them.
fn stored_traits(traits: &str, stamps: &str) -> Traits {
    let traits: Map<String, Value> = serde_json::from_str(traits).expect("an object");
    let stamps: Value = serde_json::from_str(stamps).expect("an object");
    let own = |name: &str| stamps["at"][name].as_i64();
    let base = stamps["base"].as_i64().expect("a number");
    let present = traits
        .iter()
        .map(|(name, value)| (name.clone(), (own(name).unwrap_or(base), value.to_string())));
    let removed = stamps["at"].as_object().into_iter().flatten();
    let removed = removed
        .filter(|(name, _)| !traits.contains_key(*name))
        .map(|(name, at)| {
            (
                name.clone(),
                (at.as_i64().expect("a number"), "null".to_owned()),
            )
        });
    present.chain(removed).collect()
}

/// Of a sample of the acknowledged, how many the API shows otherwise.
async fn misread(project: &Project, fates: &HashMap<String, Fate<'_>>) -> usize {
    let mut misread = 0;
    let acked = fates.values().filter(|fate| fate.acked);
    for promise in acked.filter_map(|fate| fate.promise).take(SAMPLE) {
        let (_, event) = project
            .get(&format!("/v1/events/{}", promise.message_id))
            .await;
        let owner = format!("/v1/profiles/user_id:{}", promise.user);
        let (_, profile) = project.get(&owner).await;
        let at = event["occurred_at"]
            .as_str()
            .and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let shown = Stored {
            user: &promise.user,
            kind: event["type"].as_str().unwrap_or_default(),
            name: event["name"].as_str(),
            at: at.map_or(0, jiff::Timestamp::as_microsecond),
            properties: &event["properties"],
            context: &event["context"],
        };
        let same_person = event["profile_id"] == profile["id"];
        misread += usize::from(shown.hash() != promise.hash || !same_person);
    }
    misread
}
