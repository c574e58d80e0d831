//! What excuses a difference: a record or a document that was refused, and a name whose claim is listed.

use super::Stop;
use super::scene::Scene;
use super::seen::{Outcome, Seen, is_name};
use crate::domain::{Identity, ProfileId, Timestamp};

impl Scene<'_> {
    /// Settles what was refused with a reason; tells of each whether something is still on its way.
    pub async fn excuse(&self, seen: &mut [Seen]) -> Result<Vec<bool>, Stop> {
        let mut moving = vec![false; seen.len()];
        let differs = |one: &Seen| !one.differences().is_empty();
        let places = (0..seen.len()).filter(|place| differs(&seen[*place]));
        let places: Vec<usize> = places.collect();
        if places.is_empty() {
            return Ok(moving);
        }
        let documents = self.refused_documents(seen, &places, &mut moving).await?;
        let records = self.refused_records(seen, &places, &mut moving).await?;
        for place in documents.into_iter().chain(records) {
            seen[place].outcome = Outcome::Rejected;
        }
        self.excuse_claimed(seen).await?;
        Ok(moving)
    }

    /// The places of people whose document the legacy store refuses. Whose mark waits is moving.
    async fn refused_documents(
        &self,
        seen: &[Seen],
        places: &[usize],
        moving: &mut [bool],
    ) -> Result<Vec<usize>, Stop> {
        let people: Vec<(usize, ProfileId)> = places
            .iter()
            .flat_map(|place| seen[*place].people.iter().map(|id| (*place, *id)))
            .collect();
        let ids: Vec<ProfileId> = people.iter().map(|(_, id)| *id).collect();
        let standing = self.store.load_standing(self.due.project_id, &ids).await?;
        let mut refused = Vec::new();
        for ((place, _), (is_marked, is_refused)) in people.iter().zip(standing) {
            moving[*place] |= is_marked;
            if is_refused && seen[*place].is_person() {
                refused.push(*place);
            }
        }
        Ok(refused)
    }

    /// The places of documents and records of which Roster refused one that is not older. What is still to be deleted is moving.
    async fn refused_records(
        &self,
        seen: &[Seen],
        places: &[usize],
        moving: &mut [bool],
    ) -> Result<Vec<usize>, Stop> {
        let names: Vec<(usize, &Identity)> = places
            .iter()
            .flat_map(|place| seen[*place].names.iter().map(|name| (*place, name)))
            .collect();
        let asked: Vec<&Identity> = names.iter().map(|(_, name)| *name).collect();
        let going = self.store.find_going(self.due.project_id, &asked).await?;
        let since = |(place, name): &(usize, _)| (*name, seen[*place].said_at);
        let since: Vec<(&Identity, Timestamp)> = names.iter().map(since).collect();
        let unread = self.store.find_refused(self.due.project_id, &since).await?;
        let mut refused = Vec::new();
        for ((place, _), (is_going, is_unread)) in names.iter().zip(going.iter().zip(unread)) {
            moving[*place] |= *is_going;
            if is_unread && !seen[*place].is_person() {
                refused.push(*place);
            }
        }
        Ok(refused)
    }

    /// A name that stayed with somebody else was refused with a reason where its person's claim to it is listed.
    async fn excuse_claimed(&self, seen: &mut [Seen]) -> Result<(), Stop> {
        let mut claims: Vec<(usize, Identity, ProfileId)> = Vec::new();
        for (place, one) in seen.iter().enumerate().filter(|(_, one)| !one.is_person()) {
            let claimed = |name: &&Identity| one.differences().iter().any(|own| is_name(own, name));
            let names = one.names.iter().filter(claimed);
            let person = one.people.first();
            claims.extend(names.filter_map(|name| Some((place, name.clone(), *person?))));
        }
        if claims.is_empty() {
            return Ok(());
        }
        let asked: Vec<(&Identity, ProfileId)> =
            claims.iter().map(|(_, name, id)| (name, *id)).collect();
        let listed = self.store.find_claimed(self.due.project_id, &asked).await?;
        for ((place, name, _), is_listed) in claims.iter().zip(listed) {
            if is_listed {
                seen[*place].excuse_name(name);
            }
        }
        Ok(())
    }
}
