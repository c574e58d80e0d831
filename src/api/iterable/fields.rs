//! The fields of a body, each read when it is asked for: nothing is built of what nobody reads.
//!
//! `null` is absent everywhere (contract section 9), and what is unknown is ignored.

use super::refusal::Refusal;
use crate::domain::Json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Elements of a list that are looked at: no call that is taken has more.
const MOST_ELEMENTS: usize = 10_000;

/// An object with more members is searched for each that is asked for. No call that is taken has as many.
const FEW: usize = 12;

/// An object of a body, and where it stands there.
#[derive(Clone, Debug)]
pub struct Fields {
    /// As it came.
    pub json: Json,
    /// All of its members, once they were found.
    few: Option<BTreeMap<String, Json>>,
    path: String,
    endpoint: Arc<str>,
}

impl Fields {
    /// The whole body of a request to an endpoint.
    pub fn of_body(json: Json, endpoint: &str) -> Self {
        Self::of(json, "obj".to_owned(), endpoint.into()).found_once()
    }

    const fn of(json: Json, path: String, endpoint: Arc<str>) -> Self {
        Self {
            json,
            few: None,
            path,
            endpoint,
        }
    }

    /// The same, its members found once for all that will be asked for. They take room: not for many objects at once.
    pub fn found_once(self) -> Self {
        let found = self.json.first_members(FEW, 0);
        let few = found.and_then(|(members, others, _)| (others == 0).then_some(members));
        Self { few, ..self }
    }

    /// A value, where there is one.
    pub fn value(&self, name: &str) -> Option<Json> {
        let value = match &self.few {
            Some(few) => few.get(name).cloned(),
            None => self.json.member(name),
        };
        value.filter(|value| !value.is_null())
    }

    /// A text. Numbers are taken for ids: some senders have no other, and some write a whole one with a point.
    pub fn text(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        match text_of(&value) {
            Some(text) => Ok(Some(text)),
            None => Err(self.wrong(name, "String value expected")),
        }
    }

    /// A text that has to be there.
    pub fn needed_text(&self, name: &str) -> Result<String, Refusal> {
        self.text(name)?
            .ok_or_else(|| self.wrong(name, "Missing required field"))
    }

    /// A name that has to be there: a text that says something, and no number.
    pub fn needed_name(&self, name: &str) -> Result<String, Refusal> {
        let value = self.value(name);
        let value = value.ok_or_else(|| self.wrong(name, "Missing required field"))?;
        let text = value.as_text();
        let text = text.ok_or_else(|| self.wrong(name, "String value expected"))?;
        if text.trim().is_empty() {
            return Err(self.wrong(name, "Non-empty string expected"));
        }
        Ok(text)
    }

    /// A switch; off where it is absent.
    pub fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.value(name).as_ref().map(Json::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(self.wrong(name, "Boolean value expected")),
        }
    }

    /// A number as it is written.
    pub fn number(&self, name: &str) -> Result<Option<Json>, Refusal> {
        let is_number = |value: &Json| matches!(value.as_bytes().first(), Some(b'-' | b'0'..=b'9'));
        match self.value(name) {
            Some(value) if !is_number(&value) => Err(self.wrong(name, "Number value expected")),
            value => Ok(value),
        }
    }

    /// A number without a fraction; some languages write `2.0`.
    pub fn whole_number(&self, name: &str) -> Result<Option<Json>, Refusal> {
        let number = self.number(name)?;
        let is_whole = |number: &Json| {
            let number = number.as_str().parse::<f64>();
            number.is_ok_and(|number| number.is_finite() && number.fract() == 0.0)
        };
        match number {
            Some(number) if !is_whole(&number) => Err(self.wrong(name, "Number value expected")),
            number => Ok(number),
        }
    }

    /// A whole number, also where it stands in quotes: a web SDK's own schema wants a text for the campaign of a purchase.
    pub fn quoted_number(&self, name: &str) -> Result<Option<Json>, Refusal> {
        let text = self.value(name).and_then(|value| value.as_text());
        match text.as_deref().map(str::parse::<i64>) {
            Some(Ok(number)) => Ok(Some(Json::of(&number))),
            _ => self.whole_number(name),
        }
    }

    /// An object. PHP writes an empty one as a list.
    pub fn object(&self, name: &str) -> Result<Option<Json>, Refusal> {
        match self.value(name) {
            Some(value) if value.as_bytes().starts_with(b"{") => Ok(Some(value)),
            Some(value) if value.as_bytes().starts_with(b"[") && is_empty(&value) => {
                Ok(Some(Json::empty_object()))
            }
            Some(_) => Err(self.wrong(name, "Object value expected")),
            None => Ok(None),
        }
    }

    /// An object with fields of its own, which has to be there.
    pub fn needed_object(&self, name: &str) -> Result<Self, Refusal> {
        let json = self.object(name)?;
        let json = json.ok_or_else(|| self.wrong(name, "Missing required field"))?;
        let path = format!("{}.{name}", self.path);
        Ok(Self::of(json, path, self.endpoint.clone()))
    }

    /// A list as it came.
    pub fn list(&self, name: &str) -> Result<Option<Json>, Refusal> {
        match self.value(name) {
            Some(value) if !value.as_bytes().starts_with(b"[") => {
                Err(self.wrong(name, "Array value expected"))
            }
            value => Ok(value),
        }
    }

    /// How many elements a list has that has to be there, counted up to a bound.
    pub fn count(&self, name: &str, most: usize) -> Result<usize, Refusal> {
        Ok(self.needed_list(name)?.elements(most).len())
    }

    fn needed_list(&self, name: &str) -> Result<Json, Refusal> {
        self.list(name)?
            .ok_or_else(|| self.wrong(name, "Missing required field"))
    }

    /// The objects of a list that has to be there, as far as lists go here.
    pub fn objects(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        let list = self.needed_list(name)?;
        let own = |(place, json): (usize, Json)| {
            let path = format!("{}.{name}[{place}]", self.path);
            if !json.as_bytes().starts_with(b"{") {
                return Err(Refusal::field(
                    &self.endpoint,
                    &path,
                    "Object value expected",
                ));
            }
            Ok(Self::of(json, path, self.endpoint.clone()))
        };
        let elements = list.elements(MOST_ELEMENTS).into_iter().enumerate();
        elements.map(own).collect()
    }

    /// What is wrong with one of the fields.
    pub fn wrong(&self, name: &str, wants: &str) -> Refusal {
        Refusal::field(&self.endpoint, &format!("{}.{name}", self.path), wants)
    }
}

/// A text, or a number as an id.
pub fn text_of(value: &Json) -> Option<String> {
    match value.as_bytes().first()? {
        b'-' | b'0'..=b'9' => value.as_id(),
        _ => value.as_text(),
    }
}

fn is_empty(list: &Json) -> bool {
    list.elements(1).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        let json: serde_json::Value = serde_json::from_str(text).expect(text);
        Fields::of_body(Json::of(&json), "/api/x")
    }

    #[test]
    fn null_is_absent_and_numbers_are_ids() {
        let body =
            fields(r#"{"email":null,"userId":17,"id":17.0,"preferUserId":null,"dataFields":[]}"#);
        assert_eq!(body.text("email").expect("a text"), None);
        for name in ["userId", "id"] {
            assert_eq!(body.text(name).expect("a text"), Some("17".to_owned()));
        }
        assert!(!body.flag("preferUserId").expect("a switch"));
        let empty = body.object("dataFields").expect("an object");
        assert_eq!(empty.expect("there").as_str(), "{}");
    }

    #[test]
    fn the_last_of_equal_names_counts_among_few_and_among_many() {
        let many: String = (0..20).map(|n| format!(r#""f{n}":{n},"#)).collect();
        for others in ["", &many] {
            let names =
                r#""email":"a@b.example","\u0065mail":"c@d.example","userId":1,"userId":null"#;
            let text = format!("{{{others}{names}}}");
            let body: &serde_json::value::RawValue = serde_json::from_str(&text).expect(&text);
            let body = Fields::of_body(Json::of(&body), "/api/x");
            assert_eq!(body.few.is_some(), others.is_empty());
            let email = body.text("email").expect("a text");
            assert_eq!(email.as_deref(), Some("c@d.example"));
            assert_eq!(body.text("userId").expect("nothing"), None);
        }
    }

    #[test]
    fn a_campaign_in_quotes_is_a_number() {
        let body = fields(r#"{"a":"7","b":7,"c":"x","d":null,"e":7.5,"f":"7.5"}"#);
        let number = |name: &str| {
            body.quoted_number(name)
                .map(|number| number.map(|json| json.as_str().to_owned()))
        };
        assert_eq!(number("a").expect("a number").as_deref(), Some("7"));
        assert_eq!(number("b").expect("a number").as_deref(), Some("7"));
        assert_eq!(number("d").expect("nothing"), None);
        for name in ["c", "e", "f"] {
            assert!(number(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let body = fields(r#"{"a":2,"b":2.0,"c":1.5,"d":null,"e":"2"}"#);
        for name in ["a", "b"] {
            assert!(body.whole_number(name).is_ok_and(|number| number.is_some()));
        }
        assert_eq!(body.whole_number("d").expect("nothing"), None);
        assert!(body.whole_number("c").is_err() && body.whole_number("e").is_err());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let body = fields(r#"{"users":[{},{"preferUserId":"yes"}],"dataFields":"{}"}"#);
        let users = body.objects("users").expect("a list");
        let wrong = users[1].flag("preferUserId").expect_err("a text");
        assert_eq!(
            wrong.params["obj.users[1].preferUserId"],
            "Boolean value expected"
        );
        let wrong = body.object("dataFields").expect_err("a text");
        assert_eq!(wrong.params["obj.dataFields"], "Object value expected");
        assert_eq!(wrong.code, "BadJsonBody");
    }
}
