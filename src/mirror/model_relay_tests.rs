//! The relay of the model, step by step.

use super::erased::is_doubtful;
use super::gone::{Fate, SECOND_LOOK, fate, is_to_go};
use super::index::actions;
use super::model_parts_tests::{SECOND, Sending, TURN};
use super::model_tests::World;
use super::send::{Action, Line, Sent, versioned};
use crate::domain::versions::Versions;
use crate::domain::{ProfileId, Timestamp};
use crate::legacy::{Found, Outcome};
use crate::mapping::Person;
use crate::store::GoneName;
use uuid::Uuid;

/// A page under way.
#[derive(Debug)]
pub struct Page {
    token: u64,
    is_whole: bool,
    kind: Kind,
    there: Vec<Option<Found>>,
    /// With the time by which it has to be sent, once its version was noted.
    lines: Option<(i64, Vec<Sending>)>,
    sent: Option<Vec<Sent>>,
}

#[derive(Clone, Debug)]
enum Kind {
    Gone(Vec<GoneName>),
    People(Vec<(ProfileId, Uuid, Option<Person>)>),
}

impl World {
    /// One step of a page: it is read, its version is noted, it is sent, it is settled.
    pub fn step(&mut self, failure: Option<(u8, Option<u8>)>) {
        if failure.is_some() {
            self.send_lost();
        }
        let Some(mut page) = self.page.take() else {
            // The walk is the relay's own, between two pages.
            if std::mem::take(&mut self.walks) {
                self.walk();
            }
            self.sweep();
            self.page = Some(self.begin());
            return;
        };
        if page.lines.is_none() {
            self.prepare(&mut page);
            self.page = Some(page);
        } else if let Some(failure) = failure.filter(|_| page.sent.is_none()) {
            self.fail(page, failure);
        } else if page.sent.is_none() {
            self.send(&mut page);
            self.page = Some(page);
        } else {
            self.settle(page);
        }
    }

    fn begin(&mut self) -> Page {
        self.is_gone_s_turn = !self.is_gone_s_turn;
        let kind = if self.is_gone_s_turn {
            let due = self.gone.iter().filter(|(_, noted)| noted.due <= self.now);
            let names = due.map(|(name, noted)| GoneName {
                kind: "user_id".to_owned(),
                value: name.clone(),
                mark: noted.mark,
                looks: noted.looks,
                only_ours: noted.only_ours,
                owner: self.owner(name),
                erased_at: Timestamp::from_micros(noted.erased_at).expect("a time"),
                now: self.now,
            });
            Kind::Gone(names.take(2).collect())
        } else {
            let marks = self.marks.iter().take(2);
            let person = |id: &ProfileId| self.people.get(id).cloned();
            Kind::People(marks.map(|(id, mark)| (*id, *mark, person(id))).collect())
        };
        let ids = self.ids(&kind);
        let there = ids.iter().map(|id| self.store.found(id));
        Page {
            token: self.token,
            is_whole: self.is_whole,
            there: there.collect(),
            kind,
            lines: None,
            sent: None,
        }
    }

    fn ids(&self, kind: &Kind) -> Vec<String> {
        match kind {
            Kind::Gone(names) => names.iter().map(|name| name.value.clone()).collect(),
            Kind::People(people) => {
                let people = people.iter().filter_map(|(.., person)| person.as_ref());
                let ids = people.flat_map(|person| self.reverse.ids(person));
                ids.map(str::to_owned).collect()
            }
        }
    }

    fn prepare(&mut self, page: &mut Page) {
        let used = Versions::of(&self.progress);
        let versions = used.after(self.now);
        self.progress = versions.note();
        let actions: Vec<(String, Action)> = match &page.kind {
            Kind::Gone(names) => {
                let (own, there) = names
                    .iter()
                    .zip(page.there.drain(..))
                    .filter(|(name, there)| is_to_go(name, there.as_ref(), used))
                    .unzip::<_, _, Vec<_>, Vec<_>>();
                page.there = there;
                let own = own
                    .into_iter()
                    .map(|name| (name.value.clone(), Action::Delete));
                own.collect()
            }
            Kind::People(people) => {
                let people = people.iter().filter_map(|(.., person)| person.as_ref());
                let ids = self.ids(&page.kind);
                let there = ids.iter().zip(&page.there);
                let under = |(id, there): (&String, &'_ Option<Found>)| {
                    self.lies_under(id, there.as_ref(), used)
                };
                let under: Vec<bool> = there.map(under).collect();
                let there = page.there.iter().zip(under);
                let under: Vec<_> = there
                    .map(|(there, lies)| there.as_ref().filter(|_| lies))
                    .collect();
                let actions = actions((&self.reverse, page.is_whole), people, &under);
                let owned = actions
                    .into_iter()
                    .map(|(id, action)| (id.to_owned(), action));
                owned.collect()
            }
        };
        let lines = actions.into_iter().zip(&page.there);
        let lines = lines.map(|((id, action), there)| {
            let (version, _) = versioned(versions, there.as_ref());
            Sending {
                id,
                version,
                action,
            }
        });
        page.lines = Some((self.now + TURN, lines.collect()));
    }

    /// Nothing is laid under of who was erased before the mirror began. A document says when it was true; here that is whether somebody
    /// has written it since.
    fn lies_under(&self, id: &str, there: Option<&Found>, used: Versions) -> bool {
        let is_old = |found: &Found| self.is_of_before(id, found);
        there.is_none_or(|found| !(is_doubtful(found, used, self.is_swept) && is_old(found)))
    }

    fn is_of_before(&self, id: &str, found: &Found) -> bool {
        self.erased_before.contains(id) && found.version < SECOND
    }

    /// The look through the store: the relay's own, between two pages.
    fn sweep(&mut self) {
        if std::mem::replace(&mut self.is_swept, true) {
            return;
        }
        let ids: Vec<String> = self.erased_before.iter().cloned().collect();
        for id in ids {
            let found = self.store.found(&id);
            let is_old = found.is_some_and(|found| self.is_of_before(&id, &found));
            if is_old && self.owner(&id).is_none() {
                self.note_gone(id, false);
            }
        }
    }

    fn send(&mut self, page: &mut Page) {
        let (_, lines) = page.lines.as_ref().expect("prepared");
        let mut own = Sent::Done;
        let judged = lines.iter().map(|sending| {
            let is_after = matches!(sending.action, Action::DeleteAfter);
            if is_after && own != Sent::Done {
                return own.clone();
            }
            let sent = judged(sending, self.store.take(self.now, sending));
            if matches!(sending.action, Action::Put(_) | Action::Withheld(_)) {
                own = sent.clone();
            }
            sent
        });
        page.sent = Some(judged.collect());
    }

    /// Nobody hears what became of it.
    fn fail(&mut self, page: Page, (arrive, later): (u8, Option<u8>)) {
        let (until, lines) = page.lines.expect("prepared");
        let now = self.now.min(until);
        let mut is_own_taken = true;
        for (place, sending) in lines.into_iter().enumerate() {
            let is_after = matches!(sending.action, Action::DeleteAfter);
            if is_after && !is_own_taken {
                // Whoever hears nothing of the person's own document does not send it.
                continue;
            }
            let is_own = matches!(sending.action, Action::Put(_) | Action::Withheld(_));
            let mut is_taken = false;
            if place < usize::from(arrive) {
                is_taken = judged(&sending, self.store.take(self.now, &sending)) == Sent::Done;
            } else if let Some(seconds) = later {
                self.late.push((now + i64::from(seconds) * SECOND, sending));
            }
            if is_own {
                is_own_taken = is_taken;
            }
        }
    }

    /// Who has lost the turn sends what was ready in time, and nothing else.
    fn send_lost(&mut self) {
        for page in std::mem::take(&mut self.lost) {
            if page.sent.is_none()
                && page
                    .lines
                    .as_ref()
                    .is_some_and(|(until, _)| *until > self.now)
            {
                self.fail(page, (1, Some(self.latest)));
            }
        }
    }

    fn settle(&mut self, page: Page) {
        assert_eq!(page.token, self.token, "who lost the turn writes nothing");
        let sent = page.sent.expect("sent");
        match page.kind {
            Kind::Gone(names) => {
                self.settle_gone(&names, &page.lines.expect("prepared").1, (sent, page.there));
            }
            Kind::People(people) => {
                let mut sent = sent.into_iter();
                for (id, mark, person) in people {
                    let own = person.map_or(0, |person| self.reverse.ids(&person).len());
                    let own: Vec<Sent> = sent.by_ref().take(own).collect();
                    let is_done = own.iter().all(|sent| *sent == Sent::Done);
                    if is_done && self.marks.get(&id) == Some(&mark) {
                        self.marks.remove(&id);
                    }
                }
            }
        }
    }

    fn settle_gone(
        &mut self,
        names: &[GoneName],
        lines: &[Sending],
        (sent, there): (Vec<Sent>, Vec<Option<Found>>),
    ) {
        for name in names {
            if let Some(owner) = name.owner
                && self.people.contains_key(&owner)
            {
                self.mark(owner);
            }
            let line = lines.iter().position(|line| line.id == name.value);
            let fate = line.map_or(Fate::Settled, |at| {
                fate(name, &sent[at], there[at].is_some())
            });
            let Some(noted) = self
                .gone
                .get_mut(&name.value)
                .filter(|noted| noted.mark == name.mark)
            else {
                continue;
            };
            match fate {
                Fate::Waits(_) => {}
                Fate::Settled => drop(self.gone.remove(&name.value)),
                Fate::Later => {
                    noted.looks += 1;
                    noted.due = self.now + SECOND_LOOK.as_micros() as i64;
                }
            }
        }
    }
}

fn judged(sending: &Sending, outcome: Outcome) -> Sent {
    let line = Line {
        id: &sending.id,
        version: sending.version,
        action: sending.action.clone(),
    };
    line.judge(outcome)
}
