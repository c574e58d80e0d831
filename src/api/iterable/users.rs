//! `users/update` and `users/bulkUpdate`: what is known of people, without an event.

use super::bulk::{BulkReply, MOST_MEMBERS};
use super::fields::Fields;
use super::names::{Named, Strangers};
use super::people::{self, Saying};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::saying::{BY_TOKEN, by_token, inner_names};
use super::when;
use crate::domain::{Json, Mode, ProjectType};

/// How messages name a call without a user.
pub const UPDATE: &str = "set: ApiUserUpdateRequest(None,None,None,None)";

/// Whom an object names.
pub fn named(asked: &Asked, user: &Fields) -> Result<Named, Refusal> {
    let named = named_as(user, ["email", "userId"])?;
    Ok(match asked.caller.kinds.rules.iterable {
        ProjectType::Email => named.without_empty_email(),
        // There it is left out with a warning, as any other that is no address.
        ProjectType::Hybrid | ProjectType::UserId => named,
    })
}

/// The same where the names are called otherwise. Go's structs say `""` of the name that they lack: beside an address it is none.
pub fn named_as(user: &Fields, [email, user_id]: [&str; 2]) -> Result<Named, Refusal> {
    let (email, user_id) = (user.text(email)?, user.text(user_id)?);
    let has_email = email.as_ref().is_some_and(|email| !email.is_empty());
    let user_id = user_id.filter(|id| !has_email || !id.is_empty());
    Ok(Named { email, user_id })
}

/// What of it names somebody (`Named::naming`), for a call that is about one name alone.
pub fn naming(asked: &Asked, named: Named) -> Result<Named, Refusal> {
    let naming = named.naming(asked.caller.kinds.rules.iterable);
    naming.map_err(|fault| fault.refusal(&Named::default(), "set"))
}

/// Reads a user with data fields. `followers` come after it in its request.
pub fn saying(asked: &Asked, user: &Fields, followers: usize) -> Result<Saying, Refusal> {
    let is_nested = user.flag("mergeNestedObjects")?;
    Ok(Saying {
        creates_fields: creates_fields(user)?,
        mode: if is_nested {
            Mode::Nested
        } else {
            Mode::Single
        },
        ..stating(asked, user, user.object("dataFields")?, followers)?
    })
}

/// Whether a call may have fields that its project does not have yet: yes, unless it says no.
pub fn creates_fields(call: &Fields) -> Result<bool, Refusal> {
    let is_said = call.value("createNewFields").is_some();
    Ok(!is_said || call.flag("createNewFields")?)
}

/// States traits of a user, who is made where nobody knows them.
pub fn stating(
    asked: &Asked,
    user: &Fields,
    traits: Option<Json>,
    followers: usize,
) -> Result<Saying, Refusal> {
    let prefer_user_id = user.flag("preferUserId")?;
    let mut named = named(asked, user)?;
    let (traits, mut inner) = inner_names(traits.map(by_token));
    if named == Named::default() {
        named.user_id = inner.user_id.take();
    }
    Ok(Saying {
        named,
        inner,
        strangers: Strangers::Made { prefer_user_id },
        traits,
        mode: Mode::Single,
        event: None,
        creates_fields: true,
        at: when::now(asked, followers),
        item: user.json.clone(),
    })
}

/// Updates somebody, or makes them.
pub async fn update(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let saying = saying(&asked, &readable.fields, 0)?;
    people::store_one(&asked, readable, saying, UPDATE).await?;
    Ok(Answer::success())
}

/// Updates many.
pub async fn bulk_update(mut asked: Asked, mut readable: Readable) -> Result<Answer, Failure> {
    let update_only = readable.fields.flag("updateOnly")?;
    let creates_fields = creates_fields(&readable.fields)?;
    let users = members(&mut asked, &mut readable, "users")?;
    if users.is_empty() {
        return Err(Refusal::of("InvalidEmailAddressError", "Emails invalid: ").into());
    }
    let count = users.len();
    let mut sayings = Vec::with_capacity(count);
    for (place, user) in users.into_iter().map(Fields::found_once).enumerate() {
        let mut saying = saying(&asked, &user, count - place - 1)?;
        saying.creates_fields &= creates_fields;
        if update_only {
            saying.strangers = Strangers::Refused;
        }
        sayings.push(saying);
    }
    reply(&asked, readable, sayings).await
}

/// The members of a request of many, each later than those before it; room for what is read of them is taken first.
///
/// # Errors
/// `BatchTooLarge` where they are too many or hold too much, `Overloaded` where there is no room just now.
pub fn members(
    asked: &mut Asked,
    readable: &mut Readable,
    name: &str,
) -> Result<Vec<Fields>, Failure> {
    let count = readable.fields.count(name, MOST_MEMBERS + 1)?;
    if count > MOST_MEMBERS {
        let message = format!("{name} has more entries than the limit of {MOST_MEMBERS}");
        return Err(Failure::Refused(Refusal {
            status: actix_web::http::StatusCode::PAYLOAD_TOO_LARGE,
            ..Refusal::of("BatchTooLarge", message)
        }));
    }
    readable.hold(count, (0, 0))?;
    let members = readable.fields.objects(name)?;
    let copies = members.iter().map(bytes_of_copies);
    let (names, data) = copies.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    readable.hold(0, (names, data))?;
    asked.spread(count);
    Ok(members)
}

/// What copies come to: of the names of a member, those among its data fields too; and of data fields that are written anew, since a name
/// or what is kept by token stands in them.
fn bytes_of_copies(member: &Fields) -> (usize, usize) {
    let size = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.as_bytes().len());
    let [data, email, user_id] = member.json.named(["dataFields", "email", "userId"]);
    let [devices, browsers] = BY_TOKEN;
    let inner = data
        .as_ref()
        .map(|data| data.named(["email", "userId", devices, browsers]));
    let inner = inner.unwrap_or_default();
    let names = [&email, &user_id, &inner[0], &inner[1]]
        .map(size)
        .iter()
        .sum();
    let is_copied = inner[1..].iter().any(Option::is_some);
    (names, if is_copied { size(&data) } else { 0 })
}

/// Writes what is said of many, and tells which of it failed.
pub async fn reply(
    asked: &Asked,
    readable: Readable,
    sayings: Vec<Saying>,
) -> Result<Answer, Failure> {
    let named: Vec<Named> = sayings.iter().map(|saying| saying.named.clone()).collect();
    let (fates, told) = people::store_told(asked, readable, sayings).await?;
    let reply = BulkReply::of(&named, &fates).with_fields(told);
    Ok(Answer::document(&reply))
}
