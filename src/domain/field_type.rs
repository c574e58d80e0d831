//! The types of fields: what a value's is, and which values a field of a type takes.
//!
//! The rules are those of Iterable (contract `iterable-api.md`, section 6.1). Where that leaves something open, a field takes what loses
//! nothing: whole numbers where fractions are expected, and dates where texts are.

use super::{Json, plain_date};

/// Elements of a list that are looked at: a list of more is judged by its beginning.
const MOST_ELEMENTS: usize = 1_000;
/// What a text that may be a date has at most, with its quotes and escapes.
const LONGEST_DATE: usize = 100;
/// The end of the name of a field that is a place.
const PLACE: &str = "_geo_location";

/// What the values of a field are. A list is of the type of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldType {
    String,
    /// A text in one of a few spellings (`plain_date`).
    Date,
    /// A whole number of 64 bits.
    Long,
    Double,
    Boolean,
    /// `{lat, lon}` in a field whose name says so.
    GeoLocation,
    Object,
    /// A list of objects, of a profile.
    Nested,
}

impl FieldType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::String,
        Self::Date,
        Self::Long,
        Self::Double,
        Self::Boolean,
        Self::GeoLocation,
        Self::Object,
        Self::Nested,
    ];

    /// The name in rows and replies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Date => "date",
            Self::Long => "long",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::GeoLocation => "geo_location",
            Self::Object => "object",
            Self::Nested => "nested",
        }
    }

    /// Reads a type's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// The type of a value in a field of that name; `None` of what says nothing about it: `null`, and lists with nothing in them.
    pub fn of(name: &str, value: &Json) -> Option<Self> {
        match value.as_bytes().first()? {
            b'{' if name.ends_with(PLACE) && is_place(value) => Some(Self::GeoLocation),
            b'{' => Some(Self::Object),
            b'[' => Self::of_list(value),
            b'"' if is_date(value) => Some(Self::Date),
            b'"' => Some(Self::String),
            b't' | b'f' => Some(Self::Boolean),
            b'-' | b'0'..=b'9' => Some(Self::of_number(value)),
            _ => None,
        }
    }

    fn of_list(list: &Json) -> Option<Self> {
        let elements = list.elements(MOST_ELEMENTS);
        let types = elements
            .iter()
            .filter_map(|element| match Self::of("", element) {
                Some(Self::Object) => Some(Self::Nested),
                other => other,
            });
        types.reduce(Self::joined)
    }

    fn of_number(number: &Json) -> Self {
        match number.as_str().parse::<i64>() {
            Ok(_) => Self::Long,
            Err(_) => Self::Double,
        }
    }

    /// The narrowest type of values of both: of the elements of a list, or of one field in several objects of a list.
    pub fn joined(self, other: Self) -> Self {
        use FieldType::{Double, GeoLocation, Long, Nested, Object, String};
        match (self, other) {
            (one, another) if one == another => one,
            (Nested, _) | (_, Nested) => Nested,
            (Object | GeoLocation, _) | (_, Object | GeoLocation) => Object,
            (Long, Double) | (Double, Long) => Double,
            _ => String,
        }
    }

    /// True where a field of this type takes a value of the other.
    pub fn takes(self, other: Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::Double, Self::Long) | (Self::String, Self::Date)
            )
    }
}

fn is_date(text: &Json) -> bool {
    let is_short = text.as_bytes().len() <= LONGEST_DATE;
    let text = is_short.then(|| text.as_text()).flatten();
    text.is_some_and(|text| plain_date(&text).is_some())
}

fn is_place(value: &Json) -> bool {
    let is_number = |value: &Json| matches!(value.as_bytes().first(), Some(b'-' | b'0'..=b'9'));
    value.members().is_some_and(|members| {
        members.len() == 2
            && ["lat", "lon"]
                .iter()
                .all(|name| members.get(*name).is_some_and(is_number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn of(name: &str, value: &serde_json::Value) -> Option<FieldType> {
        FieldType::of(name, &Json::of(value))
    }

    #[test]
    fn values_tell_their_types() {
        use FieldType::{Boolean, Date, Double, GeoLocation, Long, Nested, Object, String};
        let cases = [
            (json!("Ada"), Some(String)),
            (json!(""), Some(String)),
            (json!("2020-08-19T20:50:04.000Z"), Some(Date)),
            (json!("2020-04-13 14:04:09.000"), Some(String)),
            (json!(7), Some(Long)),
            (json!(-7), Some(Long)),
            (json!(1.5), Some(Double)),
            (json!(1.0), Some(Double)),
            (json!(18_446_744_073_709_551_615_u64), Some(Double)),
            (json!(true), Some(Boolean)),
            (json!({}), Some(Object)),
            (json!({"lat": 1, "lon": 2}), Some(Object)),
            (json!(null), None),
            (json!([]), None),
            (json!([null, []]), None),
            (json!([1, null, 2]), Some(Long)),
            (json!([1, 2.5]), Some(Double)),
            (json!([["a"], ["b"]]), Some(String)),
            (json!(["2020-01-01", "soon"]), Some(String)),
            (json!([1, "a"]), Some(String)),
            (json!([{"a": 1}, null]), Some(Nested)),
        ];
        for (value, expected) in cases {
            assert_eq!(of("home", &value), expected, "{value}");
        }
        let place = json!({"lat": 48.4, "lon": 9});
        assert_eq!(of("home_geo_location", &place), Some(GeoLocation));
        for other in [
            json!({"lat": 1, "lon": 2, "z": 3}),
            json!({"lat": "1", "lon": 2}),
        ] {
            assert_eq!(of("home_geo_location", &other), Some(Object), "{other}");
        }
    }

    #[test]
    fn whole_numbers_and_dates_fit_where_nothing_is_lost() {
        use FieldType::{Date, Double, Long, String};
        assert!(Double.takes(Long) && !Long.takes(Double));
        assert!(String.takes(Date) && !Date.takes(String));
        assert!(!String.takes(Long) && !Long.takes(String));
        for one in FieldType::ALL {
            assert_eq!(FieldType::parse(one.as_str()), Some(one));
        }
    }

    fn any_type() -> impl Strategy<Value = FieldType> {
        (0..FieldType::ALL.len()).prop_map(|place| FieldType::ALL[place])
    }

    proptest! {
        #[test]
        fn laws_joining_knows_no_order(one in any_type(), two in any_type(), three in any_type()) {
            prop_assert_eq!(one.joined(two), two.joined(one));
            prop_assert_eq!(one.joined(two).joined(three), one.joined(two.joined(three)));
            prop_assert_eq!(one.joined(one), one);
        }

        #[test]
        fn laws_taking_follows_joining(one in any_type(), two in any_type()) {
            prop_assert!(one.takes(one));
            prop_assert!(!one.takes(two) || one.joined(two) == one);
        }
    }
}
