use super::*;
use crate::domain::ProfileId;
use std::collections::HashMap;
use uuid::Uuid;

const MADE: Strangers = Strangers::Made {
    prefer_user_id: false,
};

fn named(email: &str, user_id: &str) -> Named {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Named {
        email: some(email),
        user_id: some(user_id),
    }
}

fn owner(number: u128, user_ids: &[&str]) -> Owner {
    Owner {
        profile_id: ProfileId(Uuid::from_u128(number)),
        user_ids: user_ids.iter().map(|id| (*id).to_owned()).collect(),
        has_email: false,
    }
}

fn owners(all: &[(&str, Owner)]) -> Owners {
    let kind = |name: &str| match name.contains('@') {
        true => IdentityKind::Email,
        false => IdentityKind::UserId,
    };
    let one = |(name, owner): &(&str, Owner)| (Identity::new(kind(name), name), owner.clone());
    all.iter().map(one).collect::<HashMap<_, _>>().into()
}

fn chosen(project: ProjectType, named: &Named, all: &[(&str, Owner)]) -> Result<Chosen, Fault> {
    named.judged(project)?.chosen(project, MADE, &owners(all))
}

#[test]
fn addresses_are_what_the_original_takes() {
    for good in [
        "a@b.co",
        "Ada+1@x.example.com",
        "o'neil@a-b.org",
        "u+1@placeholder.email",
    ] {
        assert!(is_email(good), "{good}");
    }
    for bad in [
        "",
        "000",
        "bad@",
        "@x.com",
        "a@b",
        "a b@x.com",
        "a@@x.com",
        ".a@x.com",
        "a@x..com",
        "a@x.1",
        "none",
        "a:b@x.com",
    ] {
        assert!(!is_email(bad), "{bad}");
    }
}

#[test]
fn user_ids_are_printable_and_short() {
    assert!(is_user_id(&"a".repeat(52)) && is_user_id("a b"));
    for bad in [
        String::new(),
        "a".repeat(53),
        "a ".into(),
        "é".into(),
        "a\tb".into(),
    ] {
        assert!(!is_user_id(&bad), "{bad:?}");
    }
}

#[test]
fn a_bad_email_beside_a_user_id_costs_the_user_nothing_where_the_id_is_a_name() {
    for project in [ProjectType::Hybrid, ProjectType::UserId] {
        let who = named("none", "u1").judged(project).expect("by the id");
        assert!(who.has_bad_email && who.email.is_none());
    }
    let refused = named("none", "u1").judged(ProjectType::Email);
    assert!(matches!(refused, Err(Fault::BadEmail)));
}

#[test]
fn hybrid_takes_both_names_unless_the_email_is_another_users() {
    let both = named("A@x.com", "u1");
    let free = chosen(ProjectType::Hybrid, &both, &[("a@x.com", owner(1, &[]))]).expect("free");
    assert_eq!(free.email.as_deref(), Some("a@x.com"));
    let taken = chosen(
        ProjectType::Hybrid,
        &both,
        &[("a@x.com", owner(1, &["u2"]))],
    );
    assert!(matches!(taken, Err(Fault::EmailTaken(_))));
    let own = [("a@x.com", owner(1, &["u1"])), ("u1", owner(1, &["u1"]))];
    assert!(chosen(ProjectType::Hybrid, &both, &own).is_ok());
}

/// With other names among the data fields.
fn becoming(
    project: ProjectType,
    (own, inner): (Named, Named),
    all: &[(&str, Owner)],
) -> Result<Chosen, Fault> {
    let who = own.judged(project)?.becoming(&inner, project)?;
    who.chosen(project, MADE, &owners(all))
}

#[test]
fn an_email_among_the_data_fields_is_taken_as_far_as_it_is_free() {
    let new = |own: Named| (own, named("B@x.com", ""));
    let hybrid = |own: Named, all: &[_]| becoming(ProjectType::Hybrid, new(own), all).map(drop);
    let (by_id, by_email) = (|| named("", "u1"), || named("a@x.com", ""));
    let own = ("u1", owner(1, &["u1"]));
    assert!(hybrid(by_id(), std::slice::from_ref(&own)).is_ok());
    let users = ("b@x.com", owner(2, &["u2"]));
    for all in [vec![own.clone(), users.clone()], vec![users.clone()]] {
        assert!(
            matches!(hybrid(by_id(), &all), Err(Fault::EmailTaken(email)) if email == "b@x.com")
        );
    }
    // Who has an email alone becomes the user's, and no other email's.
    let nobodys = ("b@x.com", owner(2, &[]));
    assert!(hybrid(by_id(), &[own, nobodys.clone()]).is_ok());
    let known = ("a@x.com", owner(1, &[]));
    let taken = hybrid(by_email(), &[known.clone(), nobodys]);
    assert!(matches!(taken, Err(Fault::EmailTaken(_))));
    assert!(hybrid(by_email(), &[known, ("b@x.com", owner(1, &[]))]).is_ok());
}

#[test]
fn a_user_id_among_the_data_fields_is_the_persons_unless_it_is_anothers() {
    let own = ("u1", owner(1, &["u1"]));
    let anothers = ("u2", owner(2, &["u2"]));
    let new = || named("", "u2");
    for project in [ProjectType::Hybrid, ProjectType::UserId, ProjectType::Email] {
        let free = becoming(
            project,
            (named("", "u1"), new()),
            std::slice::from_ref(&own),
        )
        .expect("free");
        assert!(free.is_explicit && free.new_user_id.as_deref() == Some("u2"));
        let all = [own.clone(), anothers.clone()];
        let taken = becoming(project, (named("", "u1"), new()), &all);
        match project {
            ProjectType::Email => assert_eq!(taken.expect("a trait").new_user_id, None),
            _ => assert!(matches!(taken, Err(Fault::UserIdTaken(id)) if id == "u2")),
        }
        let same = becoming(
            project,
            (named("", "u1"), named("", "u1")),
            std::slice::from_ref(&own),
        );
        assert!(!same.expect("the same").is_explicit);
    }
    let bad = named("", "u1").judged(ProjectType::Hybrid).expect("a name");
    let bad = bad.becoming(&named("", "é"), ProjectType::Hybrid);
    assert!(matches!(bad, Err(Fault::BadUserId(id)) if id == "é"));
}

#[test]
fn by_email_the_user_id_follows_as_far_as_it_is_free() {
    let both = named("a@x.com", "u1");
    let free = chosen(ProjectType::Email, &both, &[]).expect("free");
    assert_eq!(
        (free.user_id.as_deref(), free.is_explicit),
        (Some("u1"), false)
    );
    let overwritten = [("a@x.com", owner(1, &["u0"]))];
    let overwritten = chosen(ProjectType::Email, &both, &overwritten).expect("overwritten");
    assert!(overwritten.is_explicit && overwritten.user_id.is_some());
    let shared = chosen(ProjectType::Email, &both, &[("u1", owner(2, &["u1"]))]).expect("shared");
    assert_eq!(
        (shared.user_id, shared.user_id_trait.as_deref()),
        (None, Some("u1"))
    );
}

#[test]
fn by_email_a_user_id_alone_needs_somebody_or_the_callers_word() {
    let alone = named("", "u1");
    assert!(matches!(
        chosen(ProjectType::Email, &alone, &[]),
        Err(Fault::UnknownUserId)
    ));
    let prefer = Strangers::Made {
        prefer_user_id: true,
    };
    let who = alone.judged(ProjectType::Email).expect("a name");
    let made = who
        .chosen(ProjectType::Email, prefer, &Owners::default())
        .expect("made");
    assert!(is_email(made.email.as_deref().expect("a placeholder")));
    assert_ne!(placeholder_email("Ada"), placeholder_email("ada"));
}

#[test]
fn by_user_id_the_email_is_a_trait() {
    let both = chosen(ProjectType::UserId, &named("a@x.com", "u1"), &[]).expect("by the id");
    assert_eq!(
        (both.email, both.email_trait.as_deref()),
        (None, Some("a@x.com"))
    );
    let alone = chosen(ProjectType::UserId, &named("a@x.com", ""), &[]);
    assert!(matches!(alone, Err(Fault::NoUserId)));
}
