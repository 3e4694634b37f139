//! The Rust types of columns of the state database. An invalid value is an error, never a default.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{
    Decode, Encode, Sqlite, Type, ValueRef as _,
    encode::IsNull,
    error::BoxDynError,
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};

use crate::{domain::DomainName, ledger::RowLocation};

/// A point in time, in Unix milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct At(pub(super) Timestamp);

/// A point in time, by RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

/// A table of the network: makes a location of an id in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind(pub(super) fn(i64) -> RowLocation);

/// A text that must not be NULL, though its column may be.
#[derive(Debug, Clone)]
pub(super) struct Text(pub(super) String);

/// A duration in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Millis(pub(super) Duration);

/// Reads types from the types that SQLite has.
macro_rules! kept_as {
    ($kept:ty, $($name:ident = |$value:ident| $read:expr,)*) => {$(
        impl Type<Sqlite> for $name {
            fn type_info() -> SqliteTypeInfo {
                <$kept as Type<Sqlite>>::type_info()
            }
        }

        impl Decode<'_, Sqlite> for $name {
            fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
                // SQLite would read it as an empty text or 0.
                if value.is_null() {
                    return Err("a value is missing".into());
                }
                let kept = <$kept as Decode<Sqlite>>::decode(value)?;
                let read = |$value: $kept| -> Result<Self, BoxDynError> { $read };
                read(kept).map_err(|error| format!("{kept:?}: {error}").into())
            }
        }
    )*};
}

kept_as! { i64,
    At = |millis| Ok(Self(Timestamp::from_millisecond(millis)?)),
    Millis = |millis| Ok(Self(Duration::from_millis(millis.try_into()?))),
}

kept_as! { &str,
    Moment = |text| Ok(Self(text.parse()?)),
    Kind = |word| match word {
        "row" => Ok(Self(RowLocation::Row)),
        "site" => Ok(Self(RowLocation::Site)),
        _ => Err("no table is called that".into()),
    },
    Text = |text| Ok(Self(text.to_owned())),
    DomainName = |text| Ok(text.parse()?),
}

impl Encode<'_, Sqlite> for At {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.as_millisecond(), buffer)
    }
}

impl Encode<'_, Sqlite> for Millis {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        let millis = i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX);
        Encode::<Sqlite>::encode(millis, buffer)
    }
}
