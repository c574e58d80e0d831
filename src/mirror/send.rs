//! Actions on documents, at most one for each id, sent together and judged one by one.

use crate::domain::mend::clean;
use crate::domain::versions::{self, Versions};
use crate::legacy::{Client, Failure, Found, MOST_BYTES, Outcome};
use serde_json::{Value, json};

/// The longest id that a store takes. A longer one would cost the whole bulk.
const LONGEST_ID: usize = 512;
/// Told with the status of a bad document.
const CLOSED: &str = "index_closed_exception";
/// Bytes of one bulk; a single document may be larger.
const BULK_BYTES: usize = 5 << 20;
/// Bytes of documents that are held at once: those of others wait for the next page.
const HELD_BYTES: usize = 16 << 20;

/// The largest document that is taken apart: of small numbers it takes a hundred times as much while it is laid under another one.
const LARGEST: usize = 2 << 20;

/// What is to happen to a document.
#[derive(Clone, Debug)]
pub enum Action {
    /// The text of a document.
    Put(String),
    Delete,
    /// The same, once the person's own document was taken, which has by then what stands in this one.
    DeleteAfter,
    /// Nothing, and why.
    Withheld(String),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Done,
    /// Something else came first, or the store takes nothing of anybody now: read again, and try again.
    Again(String),
    /// The store fails on this very document, and may take it later: nobody else waits for it.
    Stuck(String),
    /// The store takes no such document.
    Refused(String),
}

/// One action with the version that it carries.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    pub id: &'a str,
    pub version: i64,
    pub action: Action,
}

impl Line<'_> {
    fn write(&self, lines: &mut Vec<u8>) {
        let meta = json!({"_id": self.id, "version": self.version, "version_type": "external"});
        match &self.action {
            Action::Put(document) => {
                let text = format!("{}\n{document}\n", json!({"index": meta}));
                lines.extend_from_slice(text.as_bytes());
            }
            Action::Delete | Action::DeleteAfter => {
                lines.extend_from_slice(format!("{}\n", json!({"delete": meta})).as_bytes());
            }
            Action::Withheld(_) => {}
        }
    }

    /// What an outcome means. Only what the store has against this very document costs it its mark: a lock, a right that is missing and
    /// an index that was closed pass.
    pub fn judge(&self, outcome: Outcome) -> Sent {
        match (outcome.status, &self.action) {
            (200..300, _) | (404, Action::Delete | Action::DeleteAfter) => Sent::Done,
            (401 | 403 | 404 | 408 | 409 | 429 | 503, _) => Sent::Again(outcome.reason),
            (500..600, _) => Sent::Stuck(outcome.reason),
            (400..500, _) if outcome.reason != CLOSED => Sent::Refused(outcome.reason),
            _ => Sent::Again(outcome.reason),
        }
    }

    /// True of what is to become of the document that a person keeps.
    fn is_own(&self) -> bool {
        matches!(self.action, Action::Put(_) | Action::Withheld(_))
    }

    fn is_after(&self) -> bool {
        matches!(self.action, Action::DeleteAfter)
    }

    /// What no store takes. It is not sent, since it would cost the whole bulk.
    fn complaint(&self) -> Option<&str> {
        if let Action::Withheld(why) = &self.action {
            return Some(why);
        }
        if !is_usable(self.id) {
            return Some("an id has 1 to 512 bytes");
        }
        let is_last = self.version == versions::HIGHEST;
        is_last.then_some("the document there has a version that none is above")
    }
}

/// What stands in a document, mended as records are that hold it.
///
/// # Errors
/// Why it can't be read.
pub fn taken_apart(found: &Found) -> Result<Value, String> {
    if found.source.is_empty() || found.source.len() > LARGEST {
        return Err(format!("it has more than {LARGEST} bytes"));
    }
    let text = clean(found.source.clone());
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// The documents of the first people as they are, of as many as there is room for and at least one, who each have some ids; how many
/// people they are. Of an id that no store can have there is none, and of a document that is too large its version alone.
///
/// # Errors
/// When the store does not answer.
pub async fn read(
    client: &Client,
    index: &str,
    people: &[Vec<&str>],
) -> Result<(usize, Vec<Option<Found>>), Failure> {
    let (ids, mut held) = (people.concat(), 0);
    let (mut found, mut size) = (Vec::with_capacity(ids.len()), ids.len());
    while found.len() < ids.len() && (held < HELD_BYTES || first_of(people, found.len()).1 == 0) {
        let rest = &ids[found.len()..];
        let part = &rest[..size.min(rest.len())];
        match documents(client, index, part).await {
            Err(Failure::TooLarge(_)) if part.len() > 1 => size = part.len() / 2,
            Err(Failure::TooLarge(_)) => found.extend(client.versions(index, part).await?),
            answer => {
                let part = answer?;
                held += part
                    .iter()
                    .flatten()
                    .map(|one| one.hit.len())
                    .sum::<usize>();
                found.extend(part);
            }
        }
    }
    let (count, whole) = first_of(people, found.len());
    found.truncate(whole);
    Ok((count, found))
}

/// Of so many documents those of whole people: how many people, and how many documents.
fn first_of(people: &[Vec<&str>], documents: usize) -> (usize, usize) {
    let mut all = 0;
    let ends = people.iter().map(|ids| {
        all += ids.len();
        all
    });
    let ends = ends.take_while(|end| *end <= documents);
    ends.fold((0, 0), |(people, _), end| (people + 1, end))
}

async fn documents(
    client: &Client,
    index: &str,
    ids: &[&str],
) -> Result<Vec<Option<Found>>, Failure> {
    let usable = usable(ids);
    let found = match usable.is_empty() {
        true => Vec::new(),
        false => {
            client
                .documents(index, &usable, MOST_BYTES, &mut |_| true)
                .await?
        }
    };
    Ok(in_order(ids, found))
}

/// The versions of documents of some ids, with nothing of what stands in them.
///
/// # Errors
/// When the store does not answer.
pub async fn versions(
    client: &Client,
    index: &str,
    ids: &[&str],
) -> Result<Vec<Option<Found>>, Failure> {
    let usable = usable(ids);
    let found = match usable.is_empty() {
        true => Vec::new(),
        false => client.versions(index, &usable).await?,
    };
    Ok(in_order(ids, found))
}

fn usable<'i>(ids: &[&'i str]) -> Vec<&'i str> {
    ids.iter().copied().filter(|id| is_usable(id)).collect()
}

fn in_order(ids: &[&str], found: Vec<Option<Found>>) -> Vec<Option<Found>> {
    let mut found = found.into_iter();
    let in_order = ids.iter().map(|id| match is_usable(id) {
        true => found.next().flatten(),
        false => None,
    });
    in_order.collect()
}

fn is_usable(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID
}

/// Sends the lines of people: what is to go after a person's own document is sent once that was taken, and stays where it was not.
///
/// # Errors
/// When the store does not take any of a bulk.
pub async fn send_people(
    client: &Client,
    index: &str,
    lines: Vec<Line<'_>>,
) -> Result<Vec<Sent>, Failure> {
    let is_own: Vec<bool> = lines.iter().map(Line::is_own).collect();
    let is_after: Vec<bool> = lines.iter().map(Line::is_after).collect();
    let (after, first): (Vec<_>, Vec<_>) = lines.into_iter().partition(Line::is_after);
    let mut all = beside_own(send(client, index, &first).await?, &is_own, &is_after);
    let mut waiting: Vec<&mut Sent> = all
        .iter_mut()
        .zip(is_after)
        .filter_map(|(sent, is)| is.then_some(sent))
        .collect();
    let ready = after.into_iter().zip(&waiting);
    let ready = ready.filter(|(_, own)| ***own == Sent::Done);
    let ready: Vec<Line<'_>> = ready.map(|(line, _)| line).collect();
    waiting.retain(|own| **own == Sent::Done);
    for (own, sent) in waiting.into_iter().zip(send(client, index, &ready).await?) {
        *own = sent;
    }
    Ok(all)
}

/// What became of lines, and in the place of those that were not sent yet what became of the person's own document.
fn beside_own(sent: Vec<Sent>, is_own: &[bool], is_after: &[bool]) -> Vec<Sent> {
    let (mut sent, mut own) = (sent.into_iter(), Sent::Done);
    let one = |(is_own, is_after): (&bool, &bool)| {
        if *is_after {
            return own.clone();
        }
        let one = sent.next().unwrap_or(Sent::Done);
        if *is_own {
            own = one.clone();
        }
        one
    };
    is_own.iter().zip(is_after).map(one).collect()
}

/// Sends lines; what became of each, in their order.
///
/// # Errors
/// When the store does not take any of a bulk.
pub async fn send(client: &Client, index: &str, lines: &[Line<'_>]) -> Result<Vec<Sent>, Failure> {
    let mut sent = Vec::with_capacity(lines.len());
    let mut rest = lines;
    while !rest.is_empty() {
        if let Some(complaint) = rest[0].complaint() {
            sent.push(Sent::Refused(complaint.to_owned()));
            rest = &rest[1..];
            continue;
        }
        let (bulk, count) = bulk(rest);
        let (own, others) = rest.split_at(count);
        rest = others;
        match client.bulk(index, bulk).await {
            Ok(outcomes) if outcomes.len() == own.len() => {
                let judged = own.iter().zip(outcomes);
                sent.extend(judged.map(|(line, outcome)| line.judge(outcome)));
            }
            Ok(_) => {
                let text = "outcomes are missing from an answer";
                return Err(Failure::Passing(text.to_owned()));
            }
            Err(Failure::Lasting {
                status: 400 | 413,
                text,
            }) if own.len() == 1 => {
                sent.push(Sent::Refused(text));
            }
            // Somebody in it costs all of it: apart they cost themselves.
            Err(Failure::Lasting {
                status: 400 | 413, ..
            }) => {
                let (one, other) = own.split_at(own.len() / 2);
                sent.extend(Box::pin(send(client, index, one)).await?);
                sent.extend(Box::pin(send(client, index, other)).await?);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(sent)
}

/// The first lines, as many as make a bulk and at least one; how many they are.
fn bulk(lines: &[Line<'_>]) -> (Vec<u8>, usize) {
    let (mut bytes, mut count) = (Vec::new(), 0);
    for line in lines.iter().take_while(|line| line.complaint().is_none()) {
        let before = bytes.len();
        line.write(&mut bytes);
        if bytes.len() > BULK_BYTES && count > 0 {
            bytes.truncate(before);
            break;
        }
        count += 1;
    }
    (bytes, count)
}

/// A document's version in the page of these versions, above what is there, and whether somebody else has written it since.
pub fn versioned(page: Versions, there: Option<&Found>) -> (i64, bool) {
    let there = there.map(|found| found.version);
    let before = page.before;
    let is_foreign = there.is_some_and(|there| versions::is_foreign(there, page.first, before));
    (versions::of_document(page.last, there), is_foreign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, action: Action) -> Line<'_> {
        Line {
            id,
            version: 1_000,
            action,
        }
    }

    #[test]
    fn each_line_is_judged_by_its_status() {
        let outcome = |status: u16| Outcome {
            status,
            reason: "why".to_owned(),
        };
        let (put, delete) = (
            line("7", Action::Put("{}".to_owned())),
            line("7", Action::Delete),
        );
        assert_eq!(delete.judge(outcome(404)), Sent::Done);
        assert_eq!(put.judge(outcome(201)), Sent::Done);
        for status in [0, 401, 403, 404, 408, 409, 429, 503] {
            assert_eq!(put.judge(outcome(status)), Sent::Again("why".to_owned()));
        }
        assert_eq!(put.judge(outcome(500)), Sent::Stuck("why".to_owned()));
        let closed = Outcome {
            status: 400,
            reason: CLOSED.to_owned(),
        };
        assert!(matches!(put.judge(closed), Sent::Again(_)));
        assert_eq!(put.judge(outcome(400)), Sent::Refused("why".to_owned()));
    }

    #[test]
    fn what_goes_after_a_person_s_own_document_hears_what_became_of_that() {
        let again = || Sent::Again("later".to_owned());
        let sent = vec![again(), Sent::Done, Sent::Done];
        // Of the first person: the own, one that is not there, one that goes after; then the second's.
        let is_own = [true, false, false, true, false];
        let is_after = [false, false, true, false, true];
        let all = beside_own(sent, &is_own, &is_after);
        assert_eq!(all, [again(), Sent::Done, again(), Sent::Done, Sent::Done]);
    }

    #[test]
    fn people_are_whole_or_wait() {
        let people = [1, 2, 0, 3].map(|count| vec!["id"; count]);
        assert_eq!(first_of(&people, 6), (4, 6));
        assert_eq!(first_of(&people, 5), (3, 3));
        assert_eq!(first_of(&people, 2), (1, 1));
        assert_eq!(first_of(&people, 0), (0, 0));
    }

    #[test]
    fn a_bulk_ends_before_what_no_store_takes_and_before_it_is_too_large() {
        let long = "x".repeat(513);
        let large = Action::Put(json!("x".repeat(3 << 20)).to_string());
        let lines = [
            line("1", large.clone()),
            line("2", large),
            line(&long, Action::Delete),
        ];
        assert_eq!(bulk(&lines).1, 1);
        assert_eq!(bulk(&lines[1..]).1, 1);
        let (text, count) = bulk(&[line("1", Action::Delete)]);
        assert_eq!(count, 1);
        let expected =
            "{\"delete\":{\"_id\":\"1\",\"version\":1000,\"version_type\":\"external\"}}\n";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }
}
