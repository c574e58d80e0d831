//! How our types travel to the database.

use super::Error;
use crate::domain::profile::Traits;
use crate::domain::{Json, ProfileKey};
use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

/// JSON text as a JSONB parameter: sent as it is, the database parses it.
#[derive(Debug)]
pub(super) struct JsonParam<'a>(pub &'a Json);

/// The version of the binary format of JSONB that both databases speak.
const JSONB_VERSION: u8 = 1;

impl ToSql for JsonParam<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.put_u8(JSONB_VERSION);
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSONB
    }

    to_sql_checked!();
}

/// Keys of profiles as two columns have them.
pub(super) fn profile_columns(profiles: &[ProfileKey]) -> (Vec<i32>, Vec<Uuid>) {
    profiles.iter().map(|key| (key.0.0, key.1.0)).unzip()
}

/// What a reader of a profile holds.
pub(super) fn size_of_stored(traits: &Json, stamps: &Json) -> i32 {
    (traits.as_bytes().len() + stamps.as_bytes().len()) as i32
}

/// Traits as two columns have them.
pub(super) fn stored_traits(traits: String, stamps: String) -> Result<Traits, Error> {
    let (traits, stamps) = (Json::from_database(traits), Json::from_database(stamps));
    Traits::from_stored(&traits, &stamps).map_err(|reason| Error::Inconsistent {
        table: "profile",
        column: "stamps",
        reason: reason.to_string(),
    })
}
