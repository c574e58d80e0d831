//! `commerce/trackPurchase` and `commerce/updateCart`: an event, what is known of the buyer, and the cart on the profile.

use super::events::{context, id_of};
use super::fields::Fields;
use super::names::Strangers;
use super::people::{self, Saying};
use super::refusal::{Failure, Refusal};
use super::reply::Answer;
use super::request::{Asked, Readable};
use super::users::{self, UPDATE};
use super::when::{self, When};
use crate::api::error::ApiError;
use crate::api::reading::answer_of;
use crate::domain::{EventDraft, EventId, EventType, Json, Text};
use std::collections::BTreeMap;

/// The trait that holds the cart.
const CART: &str = "shoppingCartItems";
/// Items of one purchase: more is no purchase.
const MOST_ITEMS: usize = 1_000;

/// Keeps a purchase, and empties the cart.
pub async fn purchase(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let call = &readable.fields;
    let items = items(call)?;
    let total = call.number("total")?;
    let total = total.ok_or_else(|| call.wrong("total", "Missing required field"))?;
    let data = BTreeMap::from([(CART.to_owned(), items), ("total".to_owned(), total)]);
    let empty = Json::of(&[(); 0]);
    let sayings = sayings(&asked, call, ("purchase", 0), &data, empty)?;
    let sayings = without_repeats(&asked, sayings).await?;
    people::store_all(&asked, readable, sayings, UPDATE).await?;
    Ok(Answer::success())
}

/// Puts items into the cart, in place of those that were there.
pub async fn update_cart(asked: Asked, readable: Readable) -> Result<Answer, Failure> {
    let call = &readable.fields;
    let items = items(call)?;
    let data = BTreeMap::from([("updatedShoppingCartItems".to_owned(), items.clone())]);
    let sayings = sayings(&asked, call, ("updateCart", 1), &data, items)?;
    let sayings = without_repeats(&asked, sayings).await?;
    people::store_all(&asked, readable, sayings, UPDATE).await?;
    Ok(Answer::success())
}

/// What is said of the user may be said apart from the cart, which is a field that every project has: `createNewFields` is about the former.
/// SDKs count whole seconds, so that of one of them `rank` decides: a purchase ends the cart of its second, whichever arrives last.
fn sayings(
    asked: &Asked,
    call: &Fields,
    (event_type, rank): (&'static str, i64),
    data: &BTreeMap<String, Json>,
    cart: Json,
) -> Result<Vec<Saying>, Refusal> {
    let user = call.needed_object("user")?;
    let own = users::saying(asked, &user, 0)?;
    // It may stand beside the user too.
    let prefer_user_id = call.flag("preferUserId")? || user.flag("preferUserId")?;
    let fields = call
        .object("dataFields")?
        .unwrap_or_else(Json::empty_object);
    // A custom event among the original's: it shows no type of its own.
    let shown_type = (event_type != "updateCart").then_some(event_type);
    let event = EventDraft {
        message_id: Some(Text::new(id_of(call)?, "id")),
        event_type: EventType::Track,
        name: Some(Text::new(event_type, "eventType")),
        properties: Json::from_members(data).with_defaults(&fields),
        context: context(call, shown_type)?,
    };
    let known = own.traits.unwrap_or_else(Json::empty_object);
    let cart = Json::from_members(&BTreeMap::from([(CART.to_owned(), cart)]));
    let (cart, apart) = match own.creates_fields {
        true => (cart.with_defaults(&known), None),
        false => (cart, without_cart(&known)),
    };
    let at = when::created_at(asked, call, 0)?;
    let of_call = Saying {
        strangers: Strangers::Made { prefer_user_id },
        at: When {
            sequence: at.sequence - rank,
            ..at
        },
        item: call.json.clone(),
        traits: None,
        ..own
    };
    let about_user = apart.map(|known| of_call.again(known));
    let about_cart = Saying {
        traits: Some(cart),
        event: Some(event),
        creates_fields: true,
        ..of_call
    };
    Ok(about_user.into_iter().chain([about_cart]).collect())
}

/// What is said of the user apart from the event has no id of its own: with an event that is stored it was said before.
async fn without_repeats(asked: &Asked, mut sayings: Vec<Saying>) -> Result<Vec<Saying>, ApiError> {
    let with_event = sayings.last().filter(|_| sayings.len() > 1);
    let event = with_event.and_then(|saying| saying.event.as_ref());
    let Some(id) = event.and_then(|event| event.message_id.as_ref()) else {
        return Ok(sayings);
    };
    let (state, id) = (&asked.state, EventId::of(&id.value));
    let _room = state.reads.room(asked.caller.project_id).await?;
    let reading = state.store.load_event(asked.caller.project_id, id);
    if answer_of(state, reading).await?.is_some() {
        sayings.drain(..sayings.len() - 1);
    }
    Ok(sayings)
}

/// What else is said of the user, where anything is: the call's own cart counts.
fn without_cart(known: &Json) -> Option<Json> {
    let mut members = known.members().unwrap_or_default();
    members.remove(CART);
    (!members.is_empty()).then(|| Json::from_members(&members))
}

/// The items: each has an id, a name, a price and a quantity.
fn items(call: &Fields) -> Result<Json, Refusal> {
    if call.count("items", MOST_ITEMS + 1)? > MOST_ITEMS {
        return Err(call.wrong("items", "Fewer items expected"));
    }
    for item in call.objects("items")? {
        item.needed_text("id")?;
        item.needed_text("name")?;
        let price = item.number("price")?;
        price.ok_or_else(|| item.wrong("price", "Missing required field"))?;
        let quantity = item.whole_number("quantity")?;
        quantity.ok_or_else(|| item.wrong("quantity", "Missing required field"))?;
        item.list("categories")?;
        item.object("dataFields")?;
    }
    Ok(call.list("items")?.unwrap_or_else(Json::null))
}
