use super::super::{Class, Code, Command, Event, EventId, EventType, Json, KeyKind, Timestamp};
use super::*;
use uuid::Uuid;

const ROOM: Room = Room {
    identities: 5,
    traits: 100,
    bytes: 1_000,
    emails: 2,
    absorbed: 2,
};

fn identity(name: &str) -> Identity {
    let kind = match &name[..1] {
        "u" => IdentityKind::UserId,
        "e" => IdentityKind::Email,
        _ => IdentityKind::AnonymousId,
    };
    Identity::new(kind, name)
}

fn command(names: &[&str]) -> Command {
    let event = Event {
        id: EventId(Uuid::nil()),
        message_id: String::new(),
        event_type: EventType::Track,
        name: None,
        properties: Json::empty_object(),
        context: Json::empty_object(),
    };
    let identities = names.iter().map(|name| identity(name)).collect();
    Command {
        project_id: ProjectId(1),
        class: Class::Live,
        by: KeyKind::Server,
        key: event.id.0,
        identities,
        explicit: 0,
        apart: 0,
        emails: Emails::Named,
        occurred_at: Timestamp::MIN,
        earliest: Timestamp::MIN,
        received_at: Timestamp::MIN,
        event: Some(event),
        traits: None,
        group: None,
        erases: false,
        types: crate::domain::TypeRule::Off,
        warnings: crate::domain::Warnings::default(),
    }
}

fn profile(number: u128) -> ProfileId {
    ProfileId(Uuid::from_u128(number))
}

/// Plans `commands` in order on top of `known`; new profiles are numbered from 101.
fn plan_commands(known: &[(&str, u128)], commands: &[Command]) -> (Vec<u128>, Plan) {
    let mut all = Known::default();
    for (name, owner) in known {
        all.owners
            .insert((ProjectId(1), identity(name)), profile(*owner));
        let names = all.names.entry(profile(*owner)).or_default();
        names.count += 1;
        names.has_user_id |= name.starts_with('u');
        names.emails += usize::from(name.starts_with('e'));
    }
    let mut next = 100;
    let subjects: Vec<Subject> = commands.iter().flat_map(Command::subjects).collect();
    let plan = all.plan(&subjects, &ROOM, || {
        next += 1;
        profile(next)
    });
    let owners = plan
        .assignments
        .iter()
        .map(|assignment| assignment.profile_id().map_or(0, |id| id.0.as_u128()));
    (owners.collect(), plan)
}

fn plan(known: &[(&str, u128)], calls: &[&[&str]]) -> (Vec<u128>, Plan) {
    let commands: Vec<Command> = calls.iter().map(|names| command(names)).collect();
    plan_commands(known, &commands)
}

fn merges(plan: &Plan) -> Vec<(u128, u128)> {
    plan.merges
        .iter()
        .map(|merge| (merge.survivor.0.as_u128(), merge.absorbed.0.as_u128()))
        .collect()
}

#[test]
fn of_two_calls_that_contradict_each_other_the_first_decides_whatever_the_ids() {
    let known = [("u1", 9), ("u2", 3), ("a1", 5)];
    let (_, plan) = plan(&known, &[&["u1", "a1"], &["u2", "a1"], &["u1", "a1"]]);
    assert_eq!(merges(&plan), [(9, 5), (3, 5)]);
}

#[test]
fn nobody_known_makes_one_person_of_all_that_belongs_together() {
    let (owners, plan) = plan(&[], &[&["a1"], &["u1", "a1"], &["u1", "e1"], &["u2"]]);
    assert_eq!(owners, [101, 101, 101, 102]);
    assert_eq!((plan.claims.len(), plan.links.len()), (4, 0));
}

#[test]
fn unknown_names_are_linked_to_the_strongest_known() {
    let (owners, plan) = plan(&[("u1", 1), ("a2", 2)], &[&["u1", "a1"], &["u3", "a2"]]);
    assert_eq!(owners, [1, 2]);
    let linked: Vec<u128> = plan.links.values().map(|owner| owner.0.as_u128()).collect();
    assert_eq!(linked, [2, 1]);
    assert!(plan.conflicts.is_empty() && plan.merges.is_empty());
}

#[test]
fn two_people_on_one_device_stay_two_people() {
    let (owners, plan) = plan(&[("u1", 1), ("a1", 1)], &[&["u2", "a1"], &["u2"]]);
    assert_eq!(owners, [101, 101]);
    assert_eq!(plan.conflicts[&0].len(), 1);
    assert_eq!(plan.claims.len(), 1);
    let (owners, _) = self::plan(&[], &[&["u1", "a1"], &["u2", "a1"], &["a1"]]);
    assert_eq!(owners, [101, 102, 101]);
}

#[test]
fn others_merge_into_the_strongest_unless_both_have_user_ids() {
    let (owners, plan) = plan(&[("u1", 1), ("e1", 2), ("a1", 3)], &[&["u1", "e1", "a1"]]);
    assert_eq!((owners, merges(&plan)), (vec![1], vec![(1, 2), (1, 3)]));
    let (_, plan) = self::plan(&[("u1", 1), ("u2", 2), ("e1", 2)], &[&["u1", "e1"]]);
    assert_eq!((merges(&plan), plan.conflicts[&0].len()), (vec![], 1));
}

#[test]
fn a_name_stronger_than_the_user_id_takes_the_user_in() {
    let mut call = command(&["c1", "u1"]);
    call.identities[0] = Identity::new(IdentityKind::Custom("customer_no".into()), "c1");
    let (_, plan) = plan_commands(&[("u1", 2)], std::slice::from_ref(&call));
    assert_eq!(plan.links.len(), 1, "linked while it is nobody's");
    let mut known = Known::default();
    for (identity, owner) in call.identities.iter().zip([1, 2]) {
        known
            .owners
            .insert((ProjectId(1), identity.clone()), profile(owner));
    }
    let names = |has_user_id| Names {
        count: 1,
        has_user_id,
        ..Names::default()
    };
    known.names = HashMap::from([(profile(1), names(false)), (profile(2), names(true))]);
    let subjects: Vec<Subject> = call.subjects().collect();
    let plan = known.plan(&subjects, &ROOM, || profile(9));
    assert_eq!((merges(&plan), plan.conflicts.len()), (vec![(1, 2)], 0));
}

#[test]
fn who_leads_gets_a_second_user_id_that_is_nobodys_and_joins_nobody() {
    let mut call = command(&["e1", "u2"]);
    (call.explicit, call.by) = (1, KeyKind::Write);
    let known = [("e1", 1), ("u1", 1)];
    let (owners, plan) = plan_commands(&known, std::slice::from_ref(&call));
    assert_eq!(owners, [1]);
    let linked: Vec<u128> = plan.links.values().map(|owner| owner.0.as_u128()).collect();
    assert_eq!((linked, merges(&plan)), (vec![1], vec![]));
    // It became somebody's in the meantime.
    let known = [("e1", 1), ("u1", 1), ("u2", 2)];
    let (owners, plan) = plan_commands(&known, &[call]);
    assert_eq!(owners, [1]);
    assert_eq!((plan.links.len(), merges(&plan)), (0, vec![]));
    assert_eq!(plan.conflicts[&0].len(), 1);
}

/// Who a call with a new email is about, and whether it is refused; its email is what it is for.
fn given(known: &[(&str, u128)], names: &[&str], emails: Emails) -> (u128, Option<Code>) {
    let mut call = command(names);
    (call.emails, call.by) = (emails, KeyKind::Write);
    let (owners, plan) = plan_commands(known, &[call]);
    let code = match &plan.assignments[0] {
        Assignment::Refused(rejection) => Some(rejection.code),
        _ => None,
    };
    let is_done = plan.links.len() + plan.merges.len() > 0;
    assert_ne!(is_done, code.is_some(), "{plan:?}");
    (owners[0], code)
}

#[test]
fn an_email_that_a_call_is_for_becomes_its_persons_or_the_call_is_refused() {
    let crowd = [("u1", 1), ("e1", 1), ("e2", 1)];
    let both = [Emails::Given, Emails::GivenApart];
    for emails in both {
        assert_eq!(given(&crowd, &["u1", "e3"], emails), (1, None), "a third");
        let full = [&crowd[..], &[("a1", 1), ("a2", 1)]].concat();
        let (_, code) = given(&full, &["u1", "e3"], emails);
        assert_eq!(code, Some(Code::TooManyIdentities));
        let users = [("u1", 1), ("u2", 2), ("e2", 2)];
        let (_, code) = given(&users, &["u1", "e2"], emails);
        assert_eq!(code, Some(Code::EmailTaken));
    }
    let strangers = [("u1", 1), ("e2", 2)];
    let told = both.map(|emails| given(&strangers, &["u1", "e2"], emails));
    assert_eq!(told, [(1, None), (0, Some(Code::EmailTaken))]);
}

#[test]
fn an_explicit_merge_joins_known_people() {
    let mut alias = command(&["u1", "u2", "a2"]);
    alias.explicit = 3;
    let (owners, plan) = plan_commands(&[("u1", 1), ("u2", 2)], &[alias]);
    assert_eq!((owners, merges(&plan)), (vec![1], vec![(1, 2)]));
    assert_eq!(plan.links.len(), 1);
}

#[test]
fn what_an_alias_may_mean_as_an_anonymous_id_joins_nobody_who_has_another_user_id() {
    let mut alias = command(&["u1", "u2", "a2"]);
    alias.explicit = 2;
    let known = [("u1", 1), ("u2", 2), ("u3", 3), ("a2", 3)];
    let (owners, plan) = plan_commands(&known, std::slice::from_ref(&alias));
    assert_eq!((owners, merges(&plan)), (vec![1], vec![(1, 2)]));
    assert_eq!(plan.conflicts[&0][0].owner, profile(3));
    let (_, plan) = plan_commands(&known[2..], std::slice::from_ref(&alias));
    assert_eq!((plan.claims.len(), plan.conflicts[&0].len()), (2, 1));
    // Whoever has both is one person, and a visitor is whose the alias says.
    let known = [("u1", 1), ("u2", 2), ("a2", 2)];
    let (_, plan) = plan_commands(&known, std::slice::from_ref(&alias));
    assert!(merges(&plan).iter().all(|merge| *merge == (1, 2)));
    assert!(plan.merges.iter().all(|merge| merge.is_explicit) && plan.conflicts.is_empty());
    let (_, plan) = plan_commands(&[("u1", 1), ("a2", 2)], &[alias]);
    assert_eq!((merges(&plan), plan.links.len()), (vec![(1, 2)], 1));
}

#[test]
fn a_claim_shows_a_conflict_and_gives_nobody_a_name() {
    let mut alias = command(&["u1", "a2", "u2"]);
    alias.apart = 1;
    let (owners, plan) = plan_commands(&[("u2", 2)], std::slice::from_ref(&alias));
    assert_eq!((owners, merges(&plan)), (vec![101], vec![]));
    assert_eq!((plan.claims.len(), plan.links.len()), (2, 0));
    let claimed = &plan.conflicts[&0][0];
    assert_eq!(
        (claimed.owner, claimed.claimant),
        (profile(2), profile(101))
    );
    let (_, plan) = plan_commands(&[("u1", 1)], &[alias]);
    let linked: Vec<&str> = plan.links.keys().map(|key| &*key.1.value).collect();
    assert_eq!((linked, plan.conflicts.len()), (vec!["a2"], 0));
}

#[test]
fn a_profile_has_a_bounded_number_of_names() {
    let known = [("u1", 1), ("a1", 1), ("a2", 1), ("a3", 1), ("a4", 1)];
    let (_, plan) = plan(&known, &[&["u1", "a5"], &["u1", "a4"]]);
    assert_eq!(
        plan.assignments,
        [profile(1), profile(1)].map(Assignment::Settled)
    );
    assert!(plan.links.is_empty(), "the new name is left out");
    assert!(plan.crowded.keys().eq([&0]));
}

#[test]
fn a_kiosk_gets_a_few_emails_and_stays_where_it_is() {
    let known = [("a1", 1), ("e1", 1), ("e2", 1), ("e3", 3)];
    let (owners, plan) = plan(&known, &[&["e4", "a1"], &["e3", "a1"], &["e1", "a1"]]);
    assert_eq!((owners, merges(&plan)), (vec![101, 3, 1], vec![]));
    let listed = [0, 1].map(|place| &plan.conflicts[&place][0]);
    assert!(
        listed
            .iter()
            .all(|one| one.is_hub && one.key.1.value == "a1")
    );
    let (owners, plan) = self::plan(&[("u1", 1), ("e1", 1), ("e2", 1)], &[&["u1", "e3"]]);
    assert_eq!((owners, plan.links.len()), (vec![1], 0));
    assert!(plan.conflicts[&0][0].is_hub);
}

#[test]
fn a_mailbox_takes_in_a_few_browsers_and_a_user_their_own() {
    let known = [("e1", 1), ("a1", 2), ("a2", 3), ("a3", 4)];
    let calls: [&[&str]; 3] = [&["e1", "a1"], &["e1", "a2"], &["e1", "a3"]];
    let (_, plan) = plan(&known, &calls);
    assert_eq!(merges(&plan), [(1, 2), (1, 3)]);
    assert!(plan.conflicts[&2][0].is_hub);
    let known = [("u1", 1), ("a1", 2), ("a2", 3), ("a3", 4)];
    let calls: [&[&str]; 3] = [&["u1", "a1"], &["u1", "a2"], &["u1", "a3"]];
    assert_eq!(merges(&self::plan(&known, &calls).1).len(), 3);
}
