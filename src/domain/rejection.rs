//! Why an item was refused: the caller's fault, with a stable code, the field and a sentence.

use super::identity::Identity;
use std::fmt;

/// The stable name of a reason; clients may switch on it, so a published one never changes its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A record is not JSON, or not text at all.
    NotJson,
    /// A record is in a binary format of a schema registry: Avro, Protobuf.
    SchemaRegistryFormat,
    /// A record of a file has bytes that are no text in the file's encoding.
    BadUtf8,
    /// A quote of a CSV record is not closed, or text follows the closing one.
    UnbalancedQuote,
    /// A CSV record has more or fewer cells than there are columns.
    WrongColumnCount,
    /// A CSV record has a value in a column without a name.
    ColumnWithoutName,
    /// The header of a CSV file once more, as files that were joined have it.
    RepeatedHeader,
    /// A spreadsheet has rounded the digits of an identity away.
    DamagedNumber,
    /// A cell has several values where one was asked for.
    SeveralValues,
    /// The table that records come from was emptied: nobody is erased by that alone.
    SourceTruncated,
    /// The item is no JSON object.
    NotAnObject,
    /// The call type is missing or not one that is stored.
    UnknownType,
    /// The call names nobody: neither a user id nor an anonymous id.
    MissingIdentity,
    /// The call names people by names that no token of theirs signed, and nothing else.
    UnsignedUser,
    /// A field that the call type needs is absent.
    MissingField,
    /// A field has a type or a form that it can't have.
    InvalidField,
    /// A time that is no time, or out of range.
    InvalidTime,
    /// A text is longer than its limit.
    TooLong,
    /// JSON is nested deeper than the limit.
    TooDeep,
    /// A number has more digits than the databases agree on.
    NumberTooLarge,
    /// An event has more properties than its limit.
    TooManyProperties,
    /// An event has more bytes, with its properties and context, than its limit.
    EventTooLarge,
    /// A trait has more bytes than its limit.
    TraitTooLarge,
    /// The profile would have more traits, or more bytes, than a profile may have.
    ProfileTooLarge,
    /// The person has as many identities as a profile may have.
    TooManyIdentities,
    /// The call is for an email that another person has.
    EmailTaken,
    /// The person was erased, and the item is not newer than that.
    Erased,
    /// The person was erased and blocked for good: nothing of the item is kept.
    Forgotten,
    /// A record does not say whose it is, or names a project that there is not.
    UnknownProject,
    /// A record has more bytes than its limit.
    RecordTooLarge,
    /// The database refused the item's data; its neighbours were stored.
    RefusedByDatabase,
    /// Another event has its message id: it counts as a duplicate, and is listed.
    MessageIdTaken,
    /// Not refused: it is stored, but not just as it came, and listed for that.
    Mended,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 33] = [
        Self::NotJson,
        Self::SchemaRegistryFormat,
        Self::BadUtf8,
        Self::UnbalancedQuote,
        Self::WrongColumnCount,
        Self::ColumnWithoutName,
        Self::RepeatedHeader,
        Self::DamagedNumber,
        Self::SeveralValues,
        Self::SourceTruncated,
        Self::NotAnObject,
        Self::UnknownType,
        Self::MissingIdentity,
        Self::UnsignedUser,
        Self::MissingField,
        Self::InvalidField,
        Self::InvalidTime,
        Self::TooLong,
        Self::TooDeep,
        Self::NumberTooLarge,
        Self::TooManyProperties,
        Self::EventTooLarge,
        Self::TraitTooLarge,
        Self::ProfileTooLarge,
        Self::TooManyIdentities,
        Self::EmailTaken,
        Self::Erased,
        Self::Forgotten,
        Self::UnknownProject,
        Self::RecordTooLarge,
        Self::RefusedByDatabase,
        Self::MessageIdTaken,
        Self::Mended,
    ];

    /// The text that replies, rows and metrics carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::UnknownType => "unknown_type",
            Self::MissingIdentity => "missing_identity",
            Self::UnsignedUser => "unsigned_user",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
            Self::InvalidTime => "invalid_time",
            Self::TooLong => "too_long",
            Self::TooDeep => "too_deep",
            Self::NumberTooLarge => "number_too_large",
            Self::TooManyProperties => "too_many_properties",
            Self::EventTooLarge => "event_too_large",
            Self::TraitTooLarge => "trait_too_large",
            Self::ProfileTooLarge => "profile_too_large",
            Self::TooManyIdentities => "too_many_identities",
            Self::EmailTaken => "email_taken",
            Self::Erased => "erased",
            Self::Forgotten => "forgotten",
            Self::NotJson => "not_json",
            Self::SchemaRegistryFormat => "schema_registry_format",
            Self::BadUtf8 => "bad_utf8",
            Self::UnbalancedQuote => "unbalanced_quote",
            Self::WrongColumnCount => "wrong_column_count",
            Self::ColumnWithoutName => "column_without_name",
            Self::RepeatedHeader => "repeated_header",
            Self::DamagedNumber => "damaged_number",
            Self::SeveralValues => "several_values",
            Self::UnknownProject => "unknown_project",
            Self::RecordTooLarge => "record_too_large",
            Self::SourceTruncated => "source_truncated",
            Self::RefusedByDatabase => "refused_by_database",
            Self::MessageIdTaken => "message_id_taken",
            Self::Mended => "mended",
        }
    }
}

/// One refusal: what is wrong, where, and a sentence for the person who looks it up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    /// The stable reason.
    pub code: Code,
    /// The field as the sender spells it, e.g. `properties` or `timestamp`.
    pub field: Option<String>,
    /// A sentence with the measured value and the limit where there is one; never the item's own data.
    pub message: String,
    /// Whom the item names, as far as that was seen: by them what is kept of it is found again.
    pub names: Vec<Identity>,
}

impl Rejection {
    /// A refusal because of one field.
    pub fn of(code: Code, field: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            field: Some(field.to_owned()),
            message: message.into(),
            names: Vec::new(),
        }
    }

    /// The same about somebody.
    pub fn about(mut self, names: impl IntoIterator<Item = Identity>) -> Self {
        self.names.extend(names);
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{} ({field}): {}", self.code.as_str(), self.message),
            None => write!(f, "{}: {}", self.code.as_str(), self.message),
        }
    }
}
